"""How well outputs follow targets: exact, from all numbers, which stay on the device, as sums of squares would cancel."""

from dataclasses import dataclass
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Metric, Samples
from zerfoo_jax.metrics.ranking import weights_up_to
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.correlation import pearson
from zerfoo_jax.numeric.weighting import spread


@dataclass(frozen=True)
class Agreement(Metric):
    """Base of metrics of outputs and targets (batch, ...), place by place, averaged over places beyond the first axis.

    Raises `ShapeError` where the shapes differ.
    """

    def _columns(self, outputs: Array, targets: Array, weights: Array) -> Array:
        """The value of each column of three arrays (examples, places): (places,)."""
        raise NotImplementedError

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        expect_same_shape(f"{type(self).__name__} of outputs and targets", outputs, targets)
        outputs = widened(outputs)
        weight = spread(weights, outputs.shape).astype(outputs.dtype)
        columns = (outputs.shape[0], math.prod(outputs.shape[1:]))
        given = {"outputs": outputs, "targets": targets.astype(outputs.dtype)}
        kept = {name: jnp.where(weight == 0, 0, x).reshape(columns) for name, x in given.items()}
        return Samples(({**kept, "weights": weight.reshape(columns)},))

    def compute(self, sums: Tree) -> Array:
        return jnp.mean(self._columns(**sums.joined()))


@dataclass(frozen=True)
class Pearson(Agreement):
    """Pearson's correlation of outputs and targets; 0 where one of them does not vary.

    >>> metric = Pearson()
    >>> float(metric.compute(metric.update(jnp.array([1.0, 2.0, 3.0]), jnp.array([2.0, 4.0, 6.0]), jnp.ones(3))))
    1.0
    """

    def _columns(self, outputs: Array, targets: Array, weights: Array) -> Array:
        return pearson(outputs, targets, weights)


@dataclass(frozen=True)
class Spearman(Agreement):
    """Spearman's correlation: Pearson's of the ranks, of which equal numbers share the mean of theirs.

    A weight counts as so many equal examples.

    >>> metric = Spearman()
    >>> float(metric.compute(metric.update(jnp.array([1.0, 10.0, 100.0]), jnp.array([1.0, 2.0, 3.0]), jnp.ones(3))))
    1.0
    """

    def _columns(self, outputs: Array, targets: Array, weights: Array) -> Array:
        return pearson(_ranks(outputs, weights), _ranks(targets, weights), weights)


@dataclass(frozen=True)
class R2(Agreement):
    """The coefficient of determination 1 - Σ (target - output)² / Σ (target - mean target)².

    Where targets do not vary it is 1 for outputs that meet them and 0 otherwise, as in scikit-learn.

    >>> metric = R2()
    >>> float(metric.compute(metric.update(jnp.array([1.0, 2.0]), jnp.array([1.0, 3.0]), jnp.ones(2))))
    0.5
    """

    def _columns(self, outputs: Array, targets: Array, weights: Array) -> Array:
        left = jnp.sum(weights * (targets - outputs) ** 2, axis=0)
        count = jnp.sum(weights, axis=0, keepdims=True)
        centred = targets
        for _ in range(2):  # the mean of large numbers is rounded; what is left of it is small
            centred = centred - jnp.sum(weights * centred, axis=0, keepdims=True) / count
        varied = jnp.sum(weights * centred**2, axis=0)
        constant = varied == 0
        return 1 - jnp.where(constant, jnp.sign(left), left / jnp.where(constant, 1, varied))


def _ranks(x: Array, weights: Array) -> Array:
    """The middle of the weights that each number shares with its equals, of (examples, places)."""

    def of_column(x: Array, weights: Array) -> Array:
        less, equal_too = weights_up_to(x, weights)
        return (less + equal_too) / 2

    return jnp.where(jnp.isnan(x).any(), jnp.nan, jax.vmap(of_column, in_axes=1, out_axes=1)(x, weights))
