"""What a variable of a jaxpr is in the operator graph: a stored array and the way in which it is looked at.

Operators broadcast, and they care about the order of axes only in places; so axes are moved, put in and dropped on paper as
long as nobody needs them where JAX has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Dims = tuple[Any, ...]
"""Sizes: integers, or JAX's symbolic dimensions."""
Axes = tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A view of a stored array. Axis `i` is the stored axis `axes[i]`, or it repeats the array (None).

    Stored axes that are no axis of the view have one element. The stored array is a value of the graph called `name`, or known
    as `array`; then `name` is what the parameter is to be called, if it is one.
    """

    name: str
    shape: Dims
    dtype: np.dtype
    stored: Dims
    axes: Axes
    array: np.ndarray | None = None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def is_plain(self) -> bool:
        """Whether the stored array is just what the view shows."""
        return len(self.stored) == len(self.axes) and self.axes == tuple(range(len(self.axes)))

    def viewed(self, shape: Sequence[Any], axes: Sequence[int | None]) -> "Tensor":
        """The same array with other axes, given as the places of this view's axes, None for one that repeats."""
        return replace(self, shape=tuple(shape), axes=tuple(None if i is None else self.axes[i] for i in axes))

    def layout(self) -> tuple[int, ...]:
        """The axes in the order in which they are stored; those that repeat stand where they are, in front of what follows."""
        places: list[float] = []
        last = -1.0
        for axis in self.axes:
            last = last + 1e-3 if axis is None else float(axis)
            places.append(last)
        return tuple(sorted(range(self.rank), key=lambda i: places[i]))


def plain(name: str, shape: Sequence[Any], dtype: Any) -> Tensor:
    """A value of the graph as it is."""
    return Tensor(name, tuple(shape), np.dtype(dtype), tuple(shape), tuple(range(len(shape))))


def known(array: Any, name: str = "") -> Tensor:
    """A constant, or with a name a parameter."""
    array = np.asarray(array)
    return Tensor(name, array.shape, array.dtype, array.shape, tuple(range(array.ndim)), array)


def is_one(size: Any) -> bool:
    """Whether a size is known to be 1."""
    return isinstance(size, int | np.integer) and size == 1


def is_fixed(shape: Sequence[Any]) -> bool:
    """Whether all sizes are known."""
    return all(isinstance(size, int | np.integer) for size in shape)
