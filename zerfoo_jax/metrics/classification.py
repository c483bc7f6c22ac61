"""Metrics for choosing among classes."""

from dataclasses import dataclass

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Mean, Metric
from zerfoo_jax.numeric.weighting import spread


@dataclass(frozen=True)
class Accuracy(Mean):
    """The share of examples whose largest output is the target class: logits (..., classes), targets (...).

    Raises `ShapeError` where the shapes do not fit.

    >>> Accuracy().each(jnp.array([[0.1, 0.9], [0.8, 0.2]]), jnp.array([1, 1])).tolist()
    [1.0, 0.0]
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        guess = jnp.argmax(outputs, axis=-1)
        expect_same_shape("accuracy of guesses and targets", guess, targets)
        return (guess == targets.astype(guess.dtype)).astype(jnp.float32)


@dataclass(frozen=True)
class TopKAccuracy(Mean):
    """The share of examples whose target class is among the k largest outputs: logits (..., classes), targets (...).

    Of equal outputs the one of the lower class number comes first, as in `Accuracy`, which this is for k = 1. Outputs that
    hold a NaN, and targets outside 0..classes-1, are wrong. Raises `ShapeError` where the shapes do not fit.

    >>> outputs, targets = jnp.array([[0.1, 0.7, 0.2], [0.4, 0.4, 0.4]]), jnp.array([2, 2])
    >>> TopKAccuracy(k=2).each(outputs, targets).tolist()
    [1.0, 0.0]
    """

    k: PositiveInt = 5

    def each(self, outputs: Array, targets: Array) -> Array:
        expect_same_shape("top_k_accuracy of outputs' first axes and targets", outputs[..., 0], targets)
        targets = targets.astype(jnp.int32)[..., None]
        own = jnp.take_along_axis(outputs, jnp.maximum(targets, 0), axis=-1, mode="clip")
        earlier = lax.broadcasted_iota(jnp.int32, outputs.shape, outputs.ndim - 1) < targets
        before = jnp.sum((outputs > own) | ((outputs == own) & earlier), axis=-1)
        fit = (targets >= 0) & (targets < outputs.shape[-1]) & ~jnp.isnan(outputs).any(axis=-1, keepdims=True)
        return (fit[..., 0] & (before < self.k)).astype(jnp.float32)


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """Weighted counts of (true class, predicted class) pairs: (num_classes, num_classes), rows are true classes.

    A target outside 0..num_classes-1 is in no row. Raises `ShapeError` where the outputs have another number of classes.
    """

    num_classes: PositiveInt

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        if outputs.shape != (*targets.shape, self.num_classes):
            raise ShapeError(
                f"confusion_matrix with num_classes = {self.num_classes} needs outputs of shape "
                f"{(*targets.shape, self.num_classes)}, got {tuple(outputs.shape)}"
            )
        truth = jax.nn.one_hot(targets, self.num_classes)
        guess = jax.nn.one_hot(jnp.argmax(outputs, axis=-1), self.num_classes)
        each = spread(weights, targets.shape).astype(jnp.float32)
        return jnp.einsum("...t,...p,...->tp", truth, guess, each, precision="highest")

    def compute(self, sums: Tree) -> Array:
        return sums
