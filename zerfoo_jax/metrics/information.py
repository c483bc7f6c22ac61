"""Metrics for predicting sequences of symbols."""

from dataclasses import dataclass
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.metrics.base import Mean
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.weighting import mean_of


@dataclass(frozen=True)
class BitsPerByte(Mean):
    """The mean of -log2 of the probability given to the right byte: logits (..., 256), targets (...).

    A target outside 0..255 gives NaN.

    >>> BitsPerByte().each(jnp.zeros((1, 256)), jnp.array([65])).tolist()
    [8.0]
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        return _negative_log_likelihood("bits_per_byte", outputs, targets) / math.log(2)


@dataclass(frozen=True)
class Perplexity(Mean):
    """exp of the mean of -log of the probability given to the right class: logits (..., classes), targets (...).

    The mean is taken over all that counts before the exponential. A target outside 0..classes-1 gives NaN.

    >>> metric = Perplexity()
    >>> round(float(metric.compute(metric.update(jnp.zeros((2, 8)), jnp.array([3, 5]), jnp.ones(2)))), 4)
    8.0
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        return _negative_log_likelihood("perplexity", outputs, targets)

    def compute(self, sums: Tree) -> Array:
        return jnp.exp(mean_of(sums))


def _negative_log_likelihood(name: str, outputs: Array, targets: Array) -> Array:
    expect_same_shape(f"{name} of outputs' first axes and targets", outputs[..., 0], targets)
    log_probabilities = jax.nn.log_softmax(widened(outputs), axis=-1)
    targets = targets.astype(jnp.int32)
    targets = jnp.where(targets < 0, outputs.shape[-1], targets)  # negative ones would count from the end
    return -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1, mode="fill", fill_value=jnp.nan)[..., 0]
