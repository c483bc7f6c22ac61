"""Layer normalisation for CPUs, whose gradients read each array but once or twice.

XLA's CPU back end stores whatever a sum is taken of, a product of two stored arrays excepted. Left to autodiff, the backward
pass stores four arrays of the input's size beside its result; here it stores one, and the others are read by matrix products.
"""

from functools import partial
import math

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.dense import over_last

_Kept = tuple[Array, Array, Array, Array]


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalised_rows(x: Array, scale: Array, bias: Array, epsilon: float) -> Array:
    """y = scale · (x - mean) / sqrt(var + epsilon) + bias over the last axis: (..., features), (features,), (features,) ->
    (..., features), all of one dtype.

    >>> normalised_rows(jnp.array([[1.0, 3.0]]), jnp.ones(2), jnp.zeros(2), 1e-5).round(3).tolist()
    [[-1.0, 1.0]]
    """
    return _forward(x, scale, bias, epsilon)[0]


def _forward(x: Array, scale: Array, bias: Array, epsilon: float) -> tuple[Array, _Kept]:
    # The first axis is there for XLA, which stores moments of two axes once for each feature.
    rows = x.reshape(1, math.prod(x.shape[:-1]), x.shape[-1])
    mean = jnp.mean(rows, axis=-1, keepdims=True)
    factor = lax.rsqrt(jnp.mean(jnp.square(rows - mean), axis=-1, keepdims=True) + epsilon)
    y = (rows - mean) * factor * over_last(scale, rows) + over_last(bias, rows)
    return y.reshape(x.shape), (rows, mean, factor, scale)


def _backward(epsilon: float, kept: _Kept, gradient: Array) -> tuple[Array, Array, Array]:
    """With h = (x - mean) · factor and g the gradient: dx = factor (g scale - mean(g scale) - h mean(g scale h)), dscale =
    Σ g h and dbias = Σ g over the rows."""
    rows, mean, factor = (a[0] for a in kept[:3])
    scale, g = kept[3], gradient.reshape(rows.shape)
    standard = (rows - mean) * factor
    product = g * standard
    sent, turned = ((jnp.matmul(a, scale) / scale.size)[:, None] for a in (g, product))
    dx = factor * (g * scale[None] - sent - standard * turned)
    return dx.reshape(gradient.shape), jnp.sum(product, axis=0), jnp.sum(g, axis=0)


normalised_rows.defvjp(_forward, _backward)
