"""Layers that make one array of several: sums, products, concatenation."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Params


@dataclass(frozen=True)
class Add(Layer):
    """The sum of one or more inputs of equal shapes and one dtype; nothing is broadcast or promoted.

    >>> Add().forward({}, jnp.ones(2), jnp.ones(2)).tolist()
    [2.0, 2.0]
    """

    def forward(self, params: Params, *xs: Array) -> Array:
        return _elementwise("Add", jnp.add, xs)


@dataclass(frozen=True)
class Multiply(Layer):
    """The product, element by element, of one or more inputs of equal shapes and one dtype; nothing is broadcast or promoted.

    >>> Multiply().forward({}, jnp.array([2.0, 3.0]), jnp.array([5.0, 7.0])).tolist()
    [10.0, 21.0]
    """

    def forward(self, params: Params, *xs: Array) -> Array:
        return _elementwise("Multiply", jnp.multiply, xs)


@dataclass(frozen=True)
class Concatenate(Layer):
    """One or more inputs of one dtype joined along `axis`; all other axes must be equal.

    >>> Concatenate().forward({}, jnp.ones((2, 3)), jnp.ones((2, 1))).shape
    (2, 4)
    """

    axis: int = -1

    def forward(self, params: Params, *xs: Array) -> Array:
        _expect_one_dtype("Concatenate", xs)
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


def _elementwise(what: str, combine: Callable[[Array, Array], Array], xs: tuple[Array, ...]) -> Array:
    _expect_one_dtype(what, xs)
    for x in xs[1:]:
        expect_same_shape(what, xs[0], x)
    return reduce(combine, xs)


def _expect_one_dtype(what: str, xs: tuple[Array, ...]) -> None:
    if not xs:
        raise ShapeError(f"{what} got no input", fix="connect at least one")
    if len({x.dtype for x in xs}) > 1:
        raise ShapeError(
            f"{what} needs inputs of one dtype, got {', '.join(str(x.dtype) for x in xs)}",
            fix="put an Embedding or a cast in front of the integers",
        )
