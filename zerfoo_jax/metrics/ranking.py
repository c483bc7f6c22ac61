"""Metrics of the order in which scores put examples: exact, from all scores, which stay on the device."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Metric, Samples
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.weighting import spread


def weights_up_to(x: Array, weights: Array) -> tuple[Array, Array]:
    """For each value the weights of all that are less, and of all that are less or equal: (n,), (n,) -> (n,), (n,).

    >>> less, equal_too = weights_up_to(jnp.array([3.0, 1.0, 3.0]), jnp.ones(3))
    >>> less.tolist(), equal_too.tolist()
    ([1.0, 0.0, 1.0], [3.0, 1.0, 3.0])
    """
    order = jnp.argsort(x)
    ordered, total = x[order], jnp.pad(jnp.cumsum(weights[order]), (1, 0))
    return total[jnp.searchsorted(ordered, x, side="left")], total[jnp.searchsorted(ordered, x, side="right")]


@dataclass(frozen=True)
class Ranking(Metric):
    """Base of areas under curves over all thresholds, of one class against the rest, and averaged over classes (macro).

    Outputs (..., classes) are logits, of which the softmax is ranked. Outputs of the targets' own shape, or with a last axis
    of 1, are ranked as they are, and targets are 0 and 1. Classes of which there is no example, or nothing else, do not count;
    where that leaves none, and where a score is NaN, the value is NaN. Raises `ShapeError` where the shapes do not fit.
    """

    def _area(self, scores: Array, positive: Array, negative: Array) -> Array:
        """The area from scores and weights (examples,), of which one, by the class, is 0 for each example."""
        raise NotImplementedError

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        yes_or_no = outputs.shape in (targets.shape, (*targets.shape, 1))
        if not yes_or_no and outputs.shape[:-1] != targets.shape:
            raise ShapeError(
                f"{type(self).__name__} needs outputs {(*targets.shape, 'classes')} or {tuple(targets.shape)} for targets "
                f"{tuple(targets.shape)}, got {tuple(outputs.shape)}"
            )
        scores = widened(outputs).reshape(targets.size, 1 if yes_or_no else outputs.shape[-1])
        scores = scores if yes_or_no else jax.nn.softmax(scores, axis=-1)
        weight = spread(weights, targets.shape).astype(jnp.float32).reshape(-1)
        scores = jnp.where(weight[:, None] == 0, 0, scores)
        return Samples(({"scores": scores, "target": targets.reshape(-1).astype(jnp.float32), "weight": weight},))

    def compute(self, sums: Tree) -> Array:
        kept = sums.joined()
        classes = kept["scores"].shape[1]
        numbers = jnp.arange(classes, dtype=jnp.float32) if classes > 1 else jnp.ones(1)

        def one_against_rest(scores: Array, number: Array) -> tuple[Array, Array]:
            positive = jnp.where(kept["target"] == number, kept["weight"], 0)
            negative = kept["weight"] - positive
            both = (jnp.sum(positive) > 0) & (jnp.sum(negative) > 0)
            return jnp.where(both, self._area(scores, positive, negative), 0), both

        areas, counted = jax.vmap(one_against_rest)(kept["scores"].T, numbers)
        mean = jnp.sum(areas) / jnp.sum(counted.astype(jnp.float32))
        return jnp.where(jnp.isnan(kept["scores"]).any(), jnp.nan, mean)


@dataclass(frozen=True)
class RocAuc(Ranking):
    """The area under the ROC curve: how often a positive example scores above a negative one, equal scores counting half.

    Weights are honoured as in scikit-learn's `roc_auc_score`; several classes are as its `multi_class="ovr"`.

    >>> metric = RocAuc()
    >>> float(metric.compute(metric.update(jnp.array([0.1, 0.4, 0.4, 0.8]), jnp.array([0, 0, 1, 1]), jnp.ones(4))))
    0.875
    """

    def _area(self, scores: Array, positive: Array, negative: Array) -> Array:
        less, equal_too = weights_up_to(scores, negative)
        return jnp.sum(positive * (less + equal_too) / 2) / (jnp.sum(positive) * jnp.sum(negative))


@dataclass(frozen=True)
class AveragePrecision(Ranking):
    """The area under the precision-recall curve as Σ (R_n - R_{n-1}) P_n over thresholds: the average precision.

    It is scikit-learn's `average_precision_score`, and not the trapezoidal area, which is too good (Davis & Goadrich, 2006).

    >>> metric = AveragePrecision()
    >>> round(float(metric.compute(metric.update(jnp.array([0.1, 0.4, 0.35, 0.8]), jnp.array([0, 0, 1, 1]), jnp.ones(4)))), 4)
    0.8333
    """

    def _area(self, scores: Array, positive: Array, negative: Array) -> Array:
        # From the top, where few are counted, so that no difference of large sums is taken there.
        right, wrong = weights_up_to(-scores, positive)[1], weights_up_to(-scores, negative)[1]
        precision = right / jnp.where(right + wrong > 0, right + wrong, 1)
        return jnp.sum(positive * precision) / jnp.sum(positive)
