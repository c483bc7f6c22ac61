"""Metrics for predicting numbers."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Mean
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.weighting import mean_of


@dataclass(frozen=True)
class MeanAbsoluteError(Mean):
    """The mean of |output - target| over all numbers, times `scale`: the unit of targets that were normalised.

    >>> MeanAbsoluteError().each(jnp.array([1.0, -2.0]), jnp.array([0.0, 0.0])).tolist()
    [1.0, 2.0]
    """

    scale: PositiveFloat = 1.0

    def each(self, outputs: Array, targets: Array) -> Array:
        return self.scale * jnp.abs(_difference("mae", outputs, targets))


@dataclass(frozen=True)
class MeanSquareError(Mean):
    """The mean of (scale (output - target))² over all numbers, `scale` as above.

    >>> MeanSquareError(scale=2.0).each(jnp.array([1.0, -2.0]), jnp.array([0.0, 0.0])).tolist()
    [4.0, 16.0]
    """

    scale: PositiveFloat = 1.0

    def each(self, outputs: Array, targets: Array) -> Array:
        return (self.scale * _difference("mse", outputs, targets)) ** 2


@dataclass(frozen=True)
class RootMeanSquareError(Mean):
    """The square root of the mean of (output - target)² over all numbers, times `scale` as above."""

    scale: PositiveFloat = 1.0

    def each(self, outputs: Array, targets: Array) -> Array:
        return _difference("rmse", outputs, targets) ** 2

    def compute(self, sums: Tree) -> Array:
        return self.scale * jnp.sqrt(mean_of(sums))


def _difference(name: str, outputs: Array, targets: Array) -> Array:
    expect_same_shape(f"{name} of outputs and targets", outputs, targets)
    outputs = widened(outputs)
    return outputs - targets.astype(outputs.dtype)
