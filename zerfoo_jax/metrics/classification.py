"""Metrics for choosing among classes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Mean, Metric


@dataclass(frozen=True)
class Accuracy(Mean):
    """The share of examples whose largest output is the target class: logits (..., classes), targets (...).

    >>> Accuracy().each(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).tolist()
    [1.0, 0.0]
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        return (jnp.argmax(outputs, axis=-1) == targets).astype(jnp.float32)


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """Weighted counts of (true class, predicted class) pairs: (num_classes, num_classes), rows are true classes."""

    num_classes: PositiveInt

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        truth = jax.nn.one_hot(targets, self.num_classes)
        guess = jax.nn.one_hot(jnp.argmax(outputs, axis=-1), self.num_classes)
        return jnp.einsum("...t,...p,...->tp", truth, guess, jnp.broadcast_to(weights, targets.shape))

    def compute(self, sums: Tree) -> Array:
        return sums
