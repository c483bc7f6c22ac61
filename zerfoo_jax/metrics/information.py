"""Metrics for predicting sequences of symbols."""

from dataclasses import dataclass
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.metrics.base import Mean


@dataclass(frozen=True)
class BitsPerByte(Mean):
    """The mean of -log2 of the probability given to the right byte: logits (..., 256), targets (...).

    >>> BitsPerByte().each(jnp.zeros((1, 256)), jnp.array([65])).tolist()
    [8.0]
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        log_probabilities = jax.nn.log_softmax(outputs, axis=-1)
        return -jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0] / math.log(2)
