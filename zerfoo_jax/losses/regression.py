"""Losses for predicting numbers."""

import jax.numpy as jnp

from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def mse(outputs: Array, targets: Array) -> Array:
    """Squared error, averaged over all axes but the first, in float32 or wider: (batch, ...) -> (batch,).

    Raises `ShapeError` where the shapes differ.

    >>> mse(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]])).tolist()
    [2.5]
    """
    expect_same_shape("mse of outputs and targets", outputs, targets)
    outputs = widened(outputs)  # float16 squares overflow from 256
    return jnp.mean((outputs - targets.astype(outputs.dtype)) ** 2, axis=tuple(range(1, outputs.ndim)))
