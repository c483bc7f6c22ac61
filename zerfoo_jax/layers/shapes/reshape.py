"""Layers that only rearrange one array; the first axis, the batch, stays where it is. Joining several: `join.py`."""

from dataclasses import dataclass
import math
from typing import Literal

import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array, Params


@dataclass(frozen=True)
class Flatten(Layer):
    """All axes but the first become one: (batch, ...) -> (batch, features). The last axis varies fastest.

    >>> Flatten().forward({}, jnp.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def forward(self, params: Params, x: Array) -> Array:
        expect_axes(x, "batch", least=True)
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


@dataclass(frozen=True)
class Reshape(Layer):
    """(batch, ...) -> (batch, *shape), the last axis varying fastest; one size may be -1 and becomes what remains.

    Raises `ShapeError` where the numbers of elements differ.

    >>> Reshape((2, -1)).forward({}, jnp.zeros((5, 12))).shape
    (5, 2, 6)
    """

    shape: tuple[PositiveInt | Literal[-1], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape.count(-1) > 1:
            raise ConfigError(f"Reshape.shape = {self.shape} leaves more than one size open", fix="write at most one -1")

    def forward(self, params: Params, x: Array) -> Array:
        expect_axes(x, "batch", least=True)
        size, known = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n > 0)
        if size % known if -1 in self.shape else size != known:
            raise ShapeError(
                f"Reshape got {tuple(x.shape[1:])} for each example, which is {size} elements, "
                f"to make {self.shape} of, which is {'a multiple of ' * (-1 in self.shape)}{known}"
            )
        return x.reshape(x.shape[0], *(size // known if n == -1 else n for n in self.shape))


@dataclass(frozen=True)
class Permute(Layer):
    """Reorders the axes after the batch: output axis i is input axis `axes[i]`, counted from 1 as the batch is 0.

    Raises `ShapeError` for another number of axes.

    >>> Permute((3, 1, 2)).forward({}, jnp.zeros((5, 8, 9, 3))).shape
    (5, 3, 8, 9)
    """

    axes: tuple[PositiveInt, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if sorted(self.axes) != list(range(1, len(self.axes) + 1)):
            raise ConfigError(f"Permute.axes = {self.axes} does not name each axis from 1 to {len(self.axes)} once")

    def forward(self, params: Params, x: Array) -> Array:
        if x.ndim != 1 + len(self.axes):
            raise ShapeError(f"Permute.axes = {self.axes} needs {1 + len(self.axes)} axes, got shape {tuple(x.shape)}")
        return jnp.transpose(x, (0, *self.axes))


@dataclass(frozen=True)
class Split(Layer):
    """Cuts `axis` into parts, a flat tuple: `parts` equal ones, or as long as `parts` lists, which must add up to the whole.

    Raises `ShapeError` where the axis is the batch, or its length does not fit.

    >>> [part.shape for part in Split((1, 3)).forward({}, jnp.zeros((5, 4)))]
    [(5, 1), (5, 3)]
    """

    parts: PositiveInt | tuple[NonNegativeInt, ...]
    axis: int = -1

    def forward(self, params: Params, x: Array) -> tuple[Array, ...]:
        size = x.shape[expect_axis(self, x)]
        if isinstance(self.parts, int):
            fits, sizes = size % self.parts == 0, (size // self.parts,) * self.parts
        else:
            fits, sizes = size == sum(self.parts), self.parts
        if not fits:
            raise ShapeError(f"Split into parts {self.parts} does not fit axis {self.axis} of shape {tuple(x.shape)}")
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
        return tuple(jnp.split(x, ends, self.axis))


@dataclass(frozen=True)
class Slice(Layer):
    """x[start:stop:step] along `axis`, as in Python: negative numbers count from the end, None is the end itself.

    Raises `ShapeError` where the axis is the batch, or nothing is left of it.

    >>> Slice(start=-3, step=2).forward({}, jnp.array([[1, 2, 3, 4, 5]])).tolist()
    [[3, 5]]
    """

    start: int | None = None
    stop: int | None = None
    step: int = 1
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step == 0:
            raise ConfigError("Slice.step = 0 does not move", fix="use 1, or -1 to reverse")

    def forward(self, params: Params, x: Array) -> Array:
        axis, cut = expect_axis(self, x), slice(self.start, self.stop, self.step)
        if not range(x.shape[axis])[cut]:
            raise ShapeError(
                f"Slice {self.start}:{self.stop}:{self.step} leaves nothing of axis {axis} of shape {tuple(x.shape)}"
            )
        return x[(slice(None),) * axis + (cut,)]


def expect_axis(layer: Split | Slice, x: Array) -> int:
    """The layer's axis, counted from the front; raises `ShapeError` unless it is one behind the batch."""
    if not (0 < layer.axis < x.ndim or -x.ndim < layer.axis < 0):
        raise ShapeError(
            f"{type(layer).__name__}.axis = {layer.axis} is not an axis behind the batch of shape {tuple(x.shape)}"
        )
    return layer.axis % x.ndim
