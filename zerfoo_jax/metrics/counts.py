"""Metrics made of four counts for each class: guessed rightly, guessed, there, and all."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Metric
from zerfoo_jax.numeric.weighting import spread


@dataclass(frozen=True)
class CountRatio(Metric):
    """Base of ratios of counts, by class and averaged over classes.

    Outputs (..., classes) guess the class of the largest one. Outputs of the targets' own shape, or with a last axis of 1,
    guess 1 where they are above `threshold`, which is 0 for logits and would be 0.5 for probabilities; the ratio is then that
    of class 1. `average`: over the classes that occur or are guessed (macro), the same weighted by how often each occurs
    (weighted), or of the counts before they are divided (micro). A ratio of 0 to 0 is 0. All this is as in scikit-learn. A
    target that is no class is in none. Raises `ShapeError` where the shapes do not fit.
    """

    average: Literal["macro", "micro", "weighted"] = "macro"
    threshold: float = 0.0

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        """Numerator and denominator from each class's weighted counts."""
        raise NotImplementedError

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        guess, truth = self._indicators(outputs, targets)
        each = spread(weights, targets.shape).astype(jnp.float32)

        def total(x: Array) -> Array:
            return jnp.einsum("...c,...->c", x, each, precision="highest")

        count = jnp.sum(each) * jnp.ones(guess.shape[-1])
        return {"right": total(guess * truth), "guessed": total(guess), "there": total(truth), "count": count}

    def compute(self, sums: Tree) -> Array:
        above, below = self._ratio(**sums)
        if self.average == "micro":
            return _divided(jnp.sum(above), jnp.sum(below))
        if sums["there"].size == 1:
            return _divided(above[0], below[0])
        occurs = (sums["guessed"] + sums["there"] > 0).astype(jnp.float32)
        share = occurs if self.average == "macro" else sums["there"]
        return _divided(jnp.sum(share * _divided(above, below)), jnp.sum(share))

    def _indicators(self, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """1 where a class is guessed, and where it is there: (..., classes), or (..., 1) for yes or no."""
        if outputs.shape in (targets.shape, (*targets.shape, 1)):
            guess = outputs.reshape(*targets.shape, 1) > self.threshold
            return guess.astype(jnp.float32), (targets == 1).astype(jnp.float32)[..., None]
        if outputs.shape[:-1] != targets.shape:
            raise ShapeError(
                f"{type(self).__name__} needs outputs {(*targets.shape, 'classes')} or {tuple(targets.shape)} for targets "
                f"{tuple(targets.shape)}, got {tuple(outputs.shape)}"
            )
        classes = outputs.shape[-1]
        return jax.nn.one_hot(jnp.argmax(outputs, axis=-1), classes), jax.nn.one_hot(targets, classes)


@dataclass(frozen=True)
class Precision(CountRatio):
    """The share of a class's guesses that are right; options as in `CountRatio`.

    >>> metric = Precision()
    >>> float(metric.compute(metric.update(jnp.array([2.0, 1.0, -1.0]), jnp.array([1, 0, 1]), jnp.ones(3))))
    0.5
    """

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return right, guessed


@dataclass(frozen=True)
class Recall(CountRatio):
    """The share of a class's examples that are found; macro is the balanced accuracy. Options as in `CountRatio`."""

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return right, there


@dataclass(frozen=True)
class F1(CountRatio):
    """2 precision · recall / (precision + recall); options as in `CountRatio`."""

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return 2 * right, guessed + there


@dataclass(frozen=True)
class Specificity(CountRatio):
    """The share of what is not of a class that is not guessed to be; options as in `CountRatio`."""

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return count - guessed - there + right, count - there


@dataclass(frozen=True)
class NegativePredictiveValue(CountRatio):
    """The share of what is not guessed to be of a class that is not; options as in `CountRatio`."""

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return count - guessed - there + right, count - guessed


@dataclass(frozen=True)
class MeanIoU(CountRatio):
    """Intersection over union: places that are and are guessed of a class, by those that are or are guessed to be.

    Logits (batch, ..., classes), targets (batch, ...), counted over all places of all examples; options as in `CountRatio`.
    """

    def _ratio(self, right: Array, guessed: Array, there: Array, count: Array) -> tuple[Array, Array]:
        return right, guessed + there - right


def _divided(above: Array, below: Array) -> Array:
    return jnp.where(below > 0, above / jnp.where(below > 0, below, 1), 0)
