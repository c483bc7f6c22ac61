"""Axes moved, put in, dropped, joined and cut."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed, is_one, known

Rule = Callable[..., Any]


def _identity(b: Builder, eq: Any, *xs: Tensor) -> Sequence[Tensor]:
    return xs


def _transpose(b: Builder, eq: Any, x: Tensor) -> Tensor:
    order = eq.params["permutation"]
    return x.viewed([x.shape[i] for i in order], order)


def _broadcast_in_dim(b: Builder, eq: Any, x: Tensor, *_: Tensor) -> Tensor:
    """Axes put in that repeat, and axes of one element that then repeat."""
    shape, places = eq.outvars[0].aval.shape, eq.params["broadcast_dimensions"]
    axes: list[int | None] = [None] * len(shape)
    for axis, place in enumerate(places):
        axes[place] = None if is_one(x.shape[axis]) and not is_one(shape[place]) else axis
    return x.viewed(shape, axes)


def _squeeze(b: Builder, eq: Any, x: Tensor) -> Tensor:
    gone = {axis % x.rank for axis in eq.params["dimensions"]}
    kept = [axis for axis in range(x.rank) if axis not in gone]
    return x.viewed([x.shape[i] for i in kept], kept)


def _expand_dims(b: Builder, eq: Any, x: Tensor) -> Tensor:
    places = set(eq.params["dimensions"])
    kept = iter(range(x.rank))
    shape = eq.outvars[0].aval.shape
    return x.viewed(shape, [None if place in places else next(kept) for place in range(len(shape))])


def _reshape(b: Builder, eq: Any, x: Tensor, *_: Tensor) -> Tensor:
    """Axes of one element come and go on paper; what else changes is a Reshape."""
    shape = tuple(eq.outvars[0].aval.shape)
    before = [axis for axis, size in enumerate(x.shape) if not is_one(size)]
    after = [axis for axis, size in enumerate(shape) if not is_one(size)]
    if [str(x.shape[axis]) for axis in before] == [str(shape[axis]) for axis in after]:
        axes: list[int | None] = [None] * len(shape)
        for old, new in zip(before, after, strict=True):
            axes[new] = old
        return x.viewed(shape, axes)
    return b.reshaped(x, shape)


def _concatenate(b: Builder, eq: Any, *xs: Tensor) -> Tensor:
    return joined(b, xs, eq.params["dimension"])


def joined(b: Builder, xs: Sequence[Tensor], axis: int) -> Tensor:
    """Arrays one behind the other along an axis."""
    if len(xs) == 1:
        return xs[0]
    lead = next((x for x in xs if x.array is None), xs[0])
    order = lead.layout()
    laid = [b.plain(x.viewed([x.shape[i] for i in order], order)) for x in xs]
    place = order.index(axis)
    size = sum((x.shape[axis] for x in xs[1:]), xs[0].shape[axis])
    sizes = (*laid[0].shape[:place], size, *laid[0].shape[place + 1 :])
    made = b.emit("Concat", laid, sizes, xs[0].dtype, axis=place)
    return back(made, order)


def back(x: Tensor, order: Sequence[int]) -> Tensor:
    """A tensor that has its axes in this order, seen with them in their own."""
    places = [list(order).index(axis) for axis in range(len(order))]
    return x.viewed([x.shape[i] for i in places], places)


def _stack(b: Builder, eq: Any, *xs: Tensor) -> Tensor:
    axis = eq.params["axis"]
    shape = eq.outvars[0].aval.shape
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    axes = [*range(axis), None, *range(axis, len(shape) - 1)]
    return joined(b, [x.viewed(one, axes) for x in xs], axis)


def _unstack(b: Builder, eq: Any, x: Tensor) -> list[Tensor]:
    axis = eq.params["axis"]
    kept = [i for i in range(x.rank) if i != axis]
    rows = [cut(b, x, {axis: (i, i + 1, 1)}) for i in range(len(eq.outvars))]
    return [row.viewed([row.shape[i] for i in kept], kept) for row in rows]


def _split(b: Builder, eq: Any, x: Tensor) -> list[Tensor]:
    axis, sizes = eq.params["axis"], eq.params["sizes"]
    if not is_fixed(sizes):
        starts = [sum(sizes[:i], 0) for i in range(len(sizes))]
        return [cut(b, x, {axis: (start, start + size, 1)}) for start, size in zip(starts, sizes, strict=True)]
    if x.array is not None:
        parts = np.split(b.plain(x).array, np.cumsum(sizes)[:-1], axis)  # type: ignore[arg-type]
        return [known(part, x.name) for part in parts]
    order = x.layout()
    laid = b.plain(x.viewed([x.shape[i] for i in order], order))
    place = order.index(axis)
    outputs = [((*laid.shape[:place], size, *laid.shape[place + 1 :]), x.dtype) for size in sizes]
    return [back(part, order) for part in b.emit_many("Split", [laid, b.ints(*sizes)], outputs, axis=place)]


def _slice(b: Builder, eq: Any, x: Tensor) -> Tensor:
    starts, limits = eq.params["start_indices"], eq.params["limit_indices"]
    strides = eq.params["strides"] or (1,) * x.rank
    spans = {axis: span for axis, span in enumerate(zip(starts, limits, strides, strict=True)) if span != (0, x.shape[axis], 1)}
    return cut(b, x, spans, eq.outvars[0].aval.shape)


def cut(b: Builder, x: Tensor, spans: Mapping[int, tuple[Any, Any, int]], shape: Sequence[Any] | None = None) -> Tensor:
    """The part of an array between a start and an end, in steps, along some axes."""
    if not spans:
        return x
    sizes = list(x.shape)
    for axis, (start, end, step) in spans.items():
        sizes[axis] = shape[axis] if shape else -(-(end - start) // step)
    if any(x.axes[axis] is None for axis in spans):  # along which all elements are equal
        repeated = {axis for axis in spans if x.axes[axis] is None}
        seen = x.viewed([sizes[a] if a in repeated else x.shape[a] for a in range(x.rank)], range(x.rank))
        return cut(b, seen, {axis: span for axis, span in spans.items() if axis not in repeated}, sizes)
    if x.array is not None and all(is_fixed(span) for span in spans.values()):
        whole = b.arranged(x, range(x.rank))
        index = tuple(slice(*spans[a]) if a in spans else slice(None) for a in range(x.rank))
        assert whole.array is not None
        part = known(whole.array[index], x.name)
        return part if tuple(map(str, part.shape)) == tuple(map(str, sizes)) else _repeating(part, sizes)
    stored = list(x.stored)
    for axis in spans:
        stored[x.axes[axis] or 0] = sizes[axis]
    columns = list(zip(*spans.values(), strict=True))
    extents = [b.sizes(column) for column in columns[:2]]
    axes = b.ints(*(x.axes[axis] or 0 for axis in spans))
    made = b.emit("Slice", [x, *extents, axes, b.ints(*columns[2])], stored, x.dtype)
    return Tensor(made.name, tuple(sizes), x.dtype, tuple(stored), x.axes)


def _repeating(part: Tensor, shape: Sequence[Any]) -> Tensor:
    axes = [None if is_one(s) and not is_one(size) else i for i, (s, size) in enumerate(zip(part.shape, shape, strict=True))]
    return part.viewed(shape, axes)


def _rev(b: Builder, eq: Any, x: Tensor) -> Tensor:
    return reversed_along(b, x, eq.params["dimensions"])


def reversed_along(b: Builder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """The array with its elements in the opposite order along some axes."""
    if x.array is not None:
        whole = b.arranged(x, range(x.rank))
        assert whole.array is not None
        return _repeating(known(np.flip(whole.array, tuple(axes)), x.name), x.shape)
    stored = [axis for axis in (x.axes[a] for a in axes) if axis is not None]
    if not stored:
        return x
    count = len(stored)
    ends = b.ints(*[np.iinfo(np.int64).min] * count)
    made = b.emit("Slice", [x, b.ints(*[-1] * count), ends, b.ints(*stored), b.ints(*[-1] * count)], x.stored, x.dtype)
    return Tensor(made.name, x.shape, x.dtype, x.stored, x.axes)


def _pad(b: Builder, eq: Any, x: Tensor, value: Tensor) -> Tensor:
    """Values put around an array and between its elements; negative amounts cut off."""
    config = eq.params["padding_config"]
    for axis, (_, _, between) in enumerate(config):
        if between:
            x = spread(b, x, axis, between + 1, value)
    spans = {
        axis: (max(-low, 0), x.shape[axis] - max(-high, 0), 1)
        for axis, (low, high, _) in enumerate(config)
        if low < 0 or high < 0
    }
    x = cut(b, x, spans)
    return padded(b, x, [(max(low, 0), max(high, 0)) for low, high, _ in config], value)


def padded(b: Builder, x: Tensor, amounts: Sequence[tuple[int, int]], value: Tensor) -> Tensor:
    """An array with so many values in front of and behind each axis."""
    if not any(map(any, amounts)):
        return x
    order = x.layout()
    laid = b.plain(x.viewed([x.shape[i] for i in order], order))
    sizes = tuple(laid.shape[place] + sum(amounts[axis]) for place, axis in enumerate(order))
    pads = b.ints(*(amounts[axis][0] for axis in order), *(amounts[axis][1] for axis in order))
    if x.dtype == bool:
        laid, value = b.cast(laid, np.int32), b.cast(b.plain(value), np.int32)
    made = b.emit("Pad", [laid, pads, b.plain(value)], sizes, laid.dtype, mode="constant")
    return back(b.cast(made, x.dtype), order)


def spread(b: Builder, x: Tensor, axis: int, step: int, value: Tensor) -> Tensor:
    """An array with values between its elements along an axis, so that they stand `step` apart."""
    size = x.shape[axis]
    rows = x.viewed((*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]), (*range(axis + 1), None, *range(axis + 1, x.rank)))
    amounts = [(0, 0)] * rows.rank
    amounts[axis + 1] = (0, step - 1)
    wide = b.reshaped(padded(b, rows, amounts, value), (*x.shape[:axis], size * step, *x.shape[axis + 1 :]))
    return cut(b, wide, {axis: (0, size * step - (step - 1), 1)})


def _iota(b: Builder, eq: Any, *_: Tensor) -> Tensor:
    """0, 1, 2, ... along one axis, alike along the others."""
    shape, axis = eq.outvars[0].aval.shape, eq.params["dimension"]
    return counted(b, shape, axis, eq.outvars[0].aval.dtype)


def counted(b: Builder, shape: Sequence[Any], axis: int, dtype: Any) -> Tensor:
    """0, 1, 2, ... along one axis of a shape."""
    size = shape[axis]
    if is_fixed((size,)):
        line = known(np.arange(size).astype(dtype))
    else:
        end = b.emit("Squeeze", [b.size(size), b.ints(0)], (), np.int64)
        line = b.emit("Range", [b.scalar(0, np.int64), end, b.scalar(1, np.int64)], (size,), np.int64)
        line = b.cast(line, dtype)
    return line.viewed(shape, [0 if i == axis else None for i in range(len(shape))])


def _tile(b: Builder, eq: Any, x: Tensor) -> Tensor:
    repeats = b.sizes(eq.params["reps"])
    return b.emit("Tile", [b.plain(x), repeats], eq.outvars[0].aval.shape, x.dtype)


def _dim_as_value(b: Builder, eq: Any) -> Tensor:
    size = b.size(eq.params["dim"])
    return b.cast(b.emit("Squeeze", [size, b.ints(0)], (), np.int64), eq.outvars[0].aval.dtype)


def _empty(b: Builder, eq: Any, *_: Tensor) -> Tensor:
    aval = eq.outvars[0].aval
    return b.scalar(0, aval.dtype).viewed(aval.shape, [None] * len(aval.shape))


SHAPES: dict[str, Rule] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "concatenate": _concatenate,
    "copy": _identity,
    "copy_p": _identity,
    "device_put": _identity,
    "dim_as_value": _dim_as_value,
    "empty": _empty,
    "empty2": _empty,
    "expand_dims": _expand_dims,
    "iota": _iota,
    "name": _identity,
    "optimization_barrier": _identity,
    "pad": _pad,
    "reshape": _reshape,
    "rev": _rev,
    "sharding_constraint": _identity,
    "slice": _slice,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "stop_gradient": _identity,
    "tile": _tile,
    "transpose": _transpose,
    "unstack": _unstack,
}

MOVES = SHAPES.keys() - {"concatenate", "pad", "stack", "tile"}
"""Those that make views of what is known, whatever its size, and sizes that are not known."""
