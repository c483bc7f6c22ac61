"""Layers that only rearrange or join arrays."""

from dataclasses import dataclass
from functools import reduce
import math

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_same_shape
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
    """All axes but the first become `shape`: (batch, ...) -> (batch, *shape). The last axis varies fastest.

    Raises `ShapeError` where the numbers of elements differ.

    >>> Reshape((2, 3)).forward({}, jnp.zeros((5, 6))).shape
    (5, 2, 3)
    """

    shape: tuple[PositiveInt, ...]

    def forward(self, params: Params, x: Array) -> Array:
        expect_axes(x, "batch", least=True)
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ShapeError(
                f"Reshape got {tuple(x.shape[1:])} for each example, which is {math.prod(x.shape[1:])} elements, "
                f"to make {self.shape} of, which is {math.prod(self.shape)}"
            )
        return x.reshape(x.shape[0], *self.shape)


@dataclass(frozen=True)
class Add(Layer):
    """The sum of one or more inputs of equal shapes; nothing is broadcast.

    >>> Add().forward({}, jnp.ones(2), jnp.ones(2)).tolist()
    [2.0, 2.0]
    """

    def forward(self, params: Params, *xs: Array) -> Array:
        _expect_inputs("Add", xs)
        for x in xs[1:]:
            expect_same_shape("Add", xs[0], x)
        return reduce(jnp.add, xs)


@dataclass(frozen=True)
class Concatenate(Layer):
    """One or more inputs joined along `axis`; all other axes must be equal.

    >>> Concatenate().forward({}, jnp.ones((2, 3)), jnp.ones((2, 1))).shape
    (2, 4)
    """

    axis: int = -1

    def forward(self, params: Params, *xs: Array) -> Array:
        _expect_inputs("Concatenate", xs)
        shapes = [tuple(x.shape) for x in xs]
        ndim = len(shapes[0])
        if not -ndim <= self.axis < ndim:
            raise ShapeError(f"Concatenate.axis = {self.axis} is not an axis of shape {shapes[0]}")
        rest = {(len(shape), *(size for i, size in enumerate(shape) if i != self.axis % ndim)) for shape in shapes}
        if len(rest) > 1:
            raise ShapeError(
                f"Concatenate along axis {self.axis} needs inputs that are equal elsewhere, got {', '.join(map(str, shapes))}"
            )
        return jnp.concatenate(xs, self.axis)


def _expect_inputs(what: str, xs: tuple[Array, ...]) -> None:
    if not xs:
        raise ShapeError(f"{what} got no input", fix="connect at least one")
