"""Where a gather reads and a scatter writes, as operators want it: one row of indices per element or row of elements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.pointwise import point
from zerfoo_jax.formats.lowering.rules.shapes import counted
from zerfoo_jax.formats.lowering.tensor import Dims, Tensor, is_fixed, known

_KNOWN: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "And": np.logical_and,
    "GreaterOrEqual": np.greater_equal,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Sub": np.subtract,
}


def arithmetic(b: Builder, op_type: str, x: Tensor, y: Tensor, dtype: Any = None) -> Tensor:
    """An operator on two plain tensors, at once where both are known."""
    if x.array is not None and y.array is not None:
        return known(_KNOWN[op_type](x.array, y.array))
    return point(b, op_type, x, y, dtype=dtype)


def number(b: Builder, size: Any) -> Tensor:
    """A size as a tensor of one integer."""
    return b.ints(size) if is_fixed((size,)) else b.size(size)


@dataclass(frozen=True)
class Places:
    """Indices (batch..., components) into an operand of a `shape`.

    Component `k` counts along axis `starts[k]`; `batching` maps axes of the operand to those of the indices with which they go
    in step; `windows` holds how many elements are meant along each axis, beginning at the index.
    """

    shape: Dims
    starts: tuple[int, ...]
    batching: dict[int, int]
    windows: Dims
    dropped: tuple[int, ...]
    """The axes that the slices do not have."""

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes with indices, that is, along which not all is meant."""
        partial = (axis for axis, size in enumerate(self.shape) if str(self.windows[axis]) != str(size))
        return tuple(sorted({*self.starts, *self.batching, *partial}))

    @property
    def rest(self) -> tuple[int, ...]:
        """The axes along which all is meant."""
        return tuple(axis for axis in range(len(self.shape)) if axis not in self.axes)

    @property
    def moving(self) -> tuple[int, ...]:
        """The axes with indices along which a slice may have several elements."""
        return tuple(axis for axis in self.axes if axis not in self.dropped)

    def limits(self, b: Builder, rows: bool) -> Tensor:
        """The largest index of each component; a number where indices are no rows of them."""
        parts = [arithmetic(b, "Sub", number(b, self.shape[a]), number(b, self.windows[a])) for a in self.starts]
        if not rows:
            return b.reshaped(parts[0], ())
        if all(part.array is not None for part in parts):
            return b.ints(*(int(part.array[0]) for part in parts if part.array is not None))
        return b.emit("Concat", parts, (len(parts),), np.int64, axis=0)

    def clipped(self, b: Builder, indices: Tensor, *, rows: bool = True) -> Tensor:
        """The indices, those outside moved to the edge."""
        return arithmetic(b, "Max", arithmetic(b, "Min", indices, self.limits(b, rows)), b.scalar(0, np.int64))

    def inside(self, b: Builder, indices: Tensor, *, rows: bool = True) -> Tensor | None:
        """Which indices are within the operand, (batch...); None where all are known to be."""
        low = arithmetic(b, "GreaterOrEqual", indices, b.scalar(0, np.int64), dtype=bool)
        both = arithmetic(b, "And", low, arithmetic(b, "LessOrEqual", indices, self.limits(b, rows), dtype=bool), dtype=bool)
        if both.array is not None:
            every = both.array.all(axis=-1) if rows else both.array
            return None if every.all() else known(every)
        if not rows:
            return both
        wide = b.cast(both, np.int32)
        found = b.emit("ReduceMin", [wide, b.ints(-1)], indices.shape[:-1], np.int32, keepdims=0)
        return b.cast(found, bool)

    def rows(self, b: Builder, indices: Tensor) -> Tensor:
        """Indices for GatherND and ScatterND: (batch..., moving..., axes)."""
        batch = indices.shape[:-1]
        if self.starts == self.axes and not self.moving:
            return indices
        columns = [self._column(b, indices, axis) for axis in self.axes]
        shape = (*batch, *(self.windows[axis] for axis in self.moving), 1)
        full = [b.plain(column.viewed(shape, range(len(shape)))) for column in map(_stretched(shape), columns)]
        if all(column.array is not None for column in full):
            return known(np.concatenate([column.array for column in full if column.array is not None], axis=-1))
        return b.emit("Concat", full, (*shape[:-1], len(full)), np.int64, axis=len(shape) - 1)

    def _column(self, b: Builder, indices: Tensor, axis: int) -> Tensor:
        """The indices along one axis, (batch..., moving..., 1) with ones where they do not vary."""
        batch = indices.shape[:-1]
        moving = len(self.moving)
        parts: list[Tensor] = []
        if axis in self.starts:
            part = _component(b, indices, self.starts.index(axis))
            parts.append(b.reshaped(part, (*batch, *(1,) * (moving + 1))))
        if axis in self.batching:
            place = self.batching[axis]
            shape = tuple(batch[place] if i == place else 1 for i in range(len(batch) + moving + 1))
            parts.append(b.plain(counted(b, shape, place, np.int64)))
        if axis in self.moving:
            place = len(batch) + self.moving.index(axis)
            shape = tuple(self.windows[axis] if i == place else 1 for i in range(len(batch) + moving + 1))
            parts.append(b.plain(counted(b, shape, place, np.int64)))
        parts = parts or [known(np.zeros((1,) * (len(batch) + moving + 1), np.int64))]
        return reduce(lambda x, y: arithmetic(b, "Add", x, y), parts)


def _component(b: Builder, indices: Tensor, number: int) -> Tensor:
    if indices.shape[-1] == 1:
        return indices
    if indices.array is not None:
        return known(indices.array[..., number : number + 1])
    parts = [b.ints(number), b.ints(number + 1), b.ints(len(indices.shape) - 1)]
    return b.emit("Slice", [indices, *parts], (*indices.shape[:-1], 1), np.int64)


def _stretched(shape: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    """Sees ones as axes that repeat up to a shape."""

    def stretch(x: Tensor) -> Tensor:
        axes = [i if str(size) == str(wanted) else None for i, (size, wanted) in enumerate(zip(x.shape, shape, strict=True))]
        return x.viewed(shape, axes)

    return stretch
