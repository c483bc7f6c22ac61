"""Elements taken from places that the model computes, and put there."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.rules.elementwise import where
from zerfoo_jax.formats.lowering.rules.places import Places, arithmetic, number
from zerfoo_jax.formats.lowering.rules.shapes import back, cut, padded
from zerfoo_jax.formats.lowering.tensor import Tensor, known

Rule = Callable[..., Any]


def _gather(b: Builder, eq: Any, x: Tensor, indices: Tensor) -> Tensor:
    numbers, mode = eq.params["dimension_numbers"], eq.params["mode"].name
    dropped = (*map(int, numbers.collapsed_slice_dims), *numbers.operand_batching_dims)
    batching = dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    starts = tuple(map(int, numbers.start_index_map))
    places = Places(x.shape, starts, batching, tuple(eq.params["slice_sizes"]), dropped)
    one_each = starts == places.axes == dropped and len(dropped) == 1
    if one_each:  # the rows of indices are single numbers
        indices = indices.viewed(indices.shape[:-1], range(indices.rank - 1))
    indices = b.cast(b.plain(indices), np.int64)
    inside = places.inside(b, indices, rows=not one_each) if mode == "FILL_OR_DROP" else None
    if mode == "CLIP" or inside is not None:
        indices = places.clipped(b, indices, rows=not one_each)
    made, order = (_along_one if one_each else _anywhere)(b, x, places, indices)
    # Axes of the result by what they are: those of the indices first, then the operand's.
    kept = [axis for axis in range(x.rank) if axis not in dropped]
    named = dict(zip(numbers.offset_dims, kept, strict=True))
    others = iter(range(x.rank + indices.rank))
    wanted = [("slice", named[i]) if i in named else ("batch", next(others)) for i in range(len(eq.outvars[0].aval.shape))]
    axes = [order.index(one) for one in wanted]
    result = made.viewed([made.shape[i] for i in axes], axes)
    return result if inside is None else _filled(b, eq, result, inside, wanted)


def _along_one(b: Builder, x: Tensor, places: Places, indices: Tensor) -> tuple[Tensor, list[tuple[str, int]]]:
    """A Gather along the one axis with indices."""
    (axis,) = places.axes
    x = b.plain(x)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    made = b.emit("Gather", [x, indices], shape, x.dtype, axis=axis)
    slices = [("slice", i) for i in range(x.rank)]
    batch = [("batch", i) for i in range(indices.rank)]
    return made, [*slices[:axis], *batch, *slices[axis + 1 :]]


def _anywhere(b: Builder, x: Tensor, places: Places, indices: Tensor) -> tuple[Tensor, list[tuple[str, int]]]:
    """A GatherND, the axes with indices in front."""
    rows = places.rows(b, indices)
    front = [*places.axes, *places.rest]
    x = b.plain(x.viewed([x.shape[i] for i in front], front))
    shape = (*rows.shape[:-1], *x.shape[len(places.axes) :])
    made = b.emit("GatherND", [x, rows], shape, x.dtype)
    batch = [("batch", i) for i in range(indices.rank - 1)]
    return made, [*batch, *(("slice", i) for i in (*places.moving, *places.rest))]


def _filled(b: Builder, eq: Any, x: Tensor, inside: Tensor, wanted: Sequence[tuple[str, int]]) -> Tensor:
    """What was read outside replaced by the value that stands for it."""
    value = eq.params.get("fill_value")
    if value is None:
        kind = x.dtype.kind
        value = np.iinfo(x.dtype).min if kind == "i" else np.iinfo(x.dtype).max if kind == "u" else kind == "b" or np.nan
    batch = [axis if kind == "batch" else None for kind, axis in wanted]
    mask = b.plain(inside.viewed([s if a is not None else 1 for s, a in zip(x.shape, batch, strict=True)], batch))
    full = b.plain(x)
    made = where(b, mask, full, b.scalar(value, x.dtype))
    return Tensor(made.name, x.shape, x.dtype, x.shape, full.axes)


def _scatter(reduction: str) -> Rule:
    def rule(b: Builder, eq: Any, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        if eq.primitive.name == "scatter-sub":
            updates = b.plain(updates)
            updates = b.emit("Neg", [updates], updates.shape, updates.dtype)
        numbers = eq.params["dimension_numbers"]
        dropped = (*map(int, numbers.inserted_window_dims), *numbers.operand_batching_dims)
        batching = dict(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True))
        kept = [axis for axis in range(x.rank) if axis not in dropped]
        in_updates = dict(zip(kept, numbers.update_window_dims, strict=True))
        windows = tuple(updates.shape[in_updates[axis]] if axis in in_updates else 1 for axis in range(x.rank))
        places = Places(x.shape, tuple(map(int, numbers.scatter_dims_to_operand_dims)), batching, windows, dropped)
        batch = [axis for axis in range(updates.rank) if axis not in numbers.update_window_dims]
        order = [*batch, *(in_updates[axis] for axis in (*places.moving, *places.rest))]
        updates = b.plain(updates.viewed([updates.shape[i] for i in order], order))
        return _scattered(b, x, places, b.cast(b.plain(indices), np.int64), updates, reduction, eq.params["mode"].name)

    return rule


def _scattered(b: Builder, x: Tensor, places: Places, indices: Tensor, updates: Tensor, reduction: str, mode: str) -> Tensor:
    """A ScatterND; what is to go outside goes to a row that is then cut off."""
    if not places.axes:  # all of it is meant
        return _whole(b, x, updates, reduction)
    front = [*places.axes, *places.rest]
    laid = b.plain(x.viewed([x.shape[i] for i in front], front))
    shape = laid.shape
    inside = places.inside(b, indices) if mode == "FILL_OR_DROP" else None
    if mode == "CLIP" or inside is not None:
        indices = places.clipped(b, indices)
    rows = places.rows(b, indices)
    if inside is not None:
        laid = b.plain(padded(b, laid, [(0, 1), *((0, 0),) * (laid.rank - 1)], b.scalar(0, x.dtype)))
        rows = _to_last(b, rows, inside, shape[0])
    attribute = reduction if reduction != "none" else None
    made = b.emit("ScatterND", [laid, rows, updates], laid.shape, x.dtype, reduction=attribute)
    return back(cut(b, made, {0: (0, shape[0], 1)} if inside is not None else {}, shape), front)


def _whole(b: Builder, x: Tensor, updates: Tensor, reduction: str) -> Tensor:
    updates = b.reshaped(updates, x.shape)
    if reduction == "none":
        return updates
    op_type = {"add": "Add", "mul": "Mul", "min": "Min", "max": "Max"}[reduction]
    return b.emit(op_type, [b.plain(x), updates], x.shape, x.dtype)


def _to_last(b: Builder, rows: Tensor, inside: Tensor, last: Any) -> Tensor:
    """The rows of indices, those outside leading behind the last row."""
    components = rows.shape[-1]
    mask = b.reshaped(inside, (*inside.shape, *(1,) * (rows.rank - inside.rank)))
    first = b.plain(known(np.arange(components) == 0))
    outside = b.emit("Mul", [b.cast(first, np.int64), number(b, last)], (components,), np.int64)
    return b.emit("Where", [mask, rows, outside], rows.shape, np.int64)


def _starts(b: Builder, x: Tensor, axes: Sequence[int], sizes: Sequence[Any], starts: Sequence[Tensor]) -> Tensor:
    """Where a slice starts, (axes,), moved so that it is within the array."""
    parts = [b.reshaped(b.cast(b.plain(starts[axis]), np.int64), (1,)) for axis in axes]
    places = Places(x.shape, tuple(axes), {}, tuple(sizes), ())
    if all(part.array is not None for part in parts):
        found = known(np.concatenate([part.array for part in parts if part.array is not None]))
    else:
        found = b.emit("Concat", parts, (len(parts),), np.int64, axis=0)
    return places.clipped(b, found)


def _dynamic_slice(b: Builder, eq: Any, x: Tensor, *starts: Tensor) -> Tensor:
    sizes = eq.params["slice_sizes"]
    axes = [axis for axis in range(x.rank) if str(sizes[axis]) != str(x.shape[axis])]
    if not axes:
        return x
    x = b.plain(x)
    begin = _starts(b, x, axes, sizes, starts)
    end = arithmetic(b, "Add", begin, b.sizes([sizes[axis] for axis in axes]))
    return b.emit("Slice", [x, begin, end, b.ints(*axes)], sizes, x.dtype)


def _dynamic_update_slice(b: Builder, eq: Any, x: Tensor, updates: Tensor, *starts: Tensor) -> Tensor:
    axes = [axis for axis in range(x.rank) if str(updates.shape[axis]) != str(x.shape[axis])]
    x, updates = b.plain(x), b.plain(updates)
    if not axes:
        return updates
    begin = _starts(b, x, axes, updates.shape, starts)
    if len(axes) > 1:
        places = Places(x.shape, tuple(axes), {}, updates.shape, ())
        order = [*places.moving, *places.rest]
        laid = b.plain(updates.viewed([updates.shape[i] for i in order], order))
        return _scattered(b, x, places, begin, laid, "none", "PROMISE_IN_BOUNDS")
    (axis,) = axes
    end = arithmetic(b, "Add", begin, number(b, updates.shape[axis]))
    unknown = (*x.shape[:axis], None, *x.shape[axis + 1 :])
    before = b.emit("Slice", [x, b.ints(0), begin, b.ints(axis)], unknown, x.dtype)
    after = b.emit("Slice", [x, end, b.ints(np.iinfo(np.int64).max), b.ints(axis)], unknown, x.dtype)
    return b.emit("Concat", [before, updates, after], x.shape, x.dtype, axis=axis)


INDEXING: dict[str, Rule] = {
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    "scatter": _scatter("none"),
    "scatter-add": _scatter("add"),
    "scatter-max": _scatter("max"),
    "scatter-min": _scatter("min"),
    "scatter-mul": _scatter("mul"),
    "scatter-sub": _scatter("add"),
    "scatter_add": _scatter("add"),
    "scatter_max": _scatter("max"),
    "scatter_min": _scatter("min"),
    "scatter_mul": _scatter("mul"),
}
