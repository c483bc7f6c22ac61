"""Metrics for predicting sequences of symbols."""

from dataclasses import dataclass
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array
from zerfoo_jax.metrics.base import Mean
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class BitsPerByte(Mean):
    """The mean of -log2 of the probability given to the right byte: logits (..., 256), targets (...).

    A target outside 0..255 gives NaN.

    >>> BitsPerByte().each(jnp.zeros((1, 256)), jnp.array([65])).tolist()
    [8.0]
    """

    def each(self, outputs: Array, targets: Array) -> Array:
        expect_same_shape("bits_per_byte of outputs' first axes and targets", outputs[..., 0], targets)
        log_probabilities = jax.nn.log_softmax(widened(outputs), axis=-1)
        targets = targets.astype(jnp.int32)
        targets = jnp.where(targets < 0, outputs.shape[-1], targets)  # negative ones would count from the end
        picked = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1, mode="fill", fill_value=jnp.nan)
        return -picked[..., 0] / math.log(2)
