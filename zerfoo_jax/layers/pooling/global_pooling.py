"""One number per channel for a whole sequence, image or volume."""

from dataclasses import dataclass
import math

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _GlobalPool(Layer):
    """A pool over all axes between batch and channels."""

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch spatial channels", least=True)
        expect_floating(x)
        if 0 in x.shape[1:-1]:
            raise ShapeError(f"{type(self).__name__} got no element to pool, shape {tuple(x.shape)}")
        return {}, {}


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """The mean over all spatial axes: (batch, *spatial, c) -> (batch, c).

    >>> GlobalAvgPool().forward({}, jnp.arange(6.0).reshape(1, 3, 2)).tolist()
    [[2.0, 3.0]]
    """

    def forward(self, params: Params, x: Array) -> Array:
        return jnp.mean(widened(x), axis=tuple(range(1, x.ndim - 1))).astype(x.dtype)


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """The maximum over all spatial axes: (batch, *spatial, c) -> (batch, c).

    Among equals the gradient goes to the first in row order, as in torch. NaN gives NaN.

    >>> GlobalMaxPool().forward({}, jnp.arange(6.0).reshape(1, 3, 2)).tolist()
    [[4.0, 5.0]]
    """

    def forward(self, params: Params, x: Array) -> Array:
        flat = x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])
        return jnp.sum(jnp.where(_first_largest(flat), flat, jnp.zeros((), x.dtype)), axis=1)


def _first_largest(x: Array) -> Array:
    """Marks the first of the largest elements along the second axis, a NaN counting as the largest.

    In sums and minima over the axis, since an argmax is slow on a CPU and so is what takes the element that it names.
    """
    x = lax.stop_gradient(x)
    largest = (x == jnp.max(x, axis=1, keepdims=True)) | jnp.isnan(x)
    places = lax.broadcasted_iota(jnp.int32, x.shape, 1)
    return places == jnp.min(jnp.where(largest, places, x.shape[1]), axis=1, keepdims=True)
