"""Stochastic weight averaging, as the decay of a moving average."""

import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.core.types import Array
from zerfoo_jax.training.step import Decay


@checked
def stochastic_weight_averaging(*, start: NonNegativeInt, every: PositiveInt = 1) -> Decay:
    """The decay with which the average is the mean of the parameters after steps start, start + every, ... (arXiv 1803.05407).

    For `make_train_step(..., ema_decay=...)`. Until `start` the average is the parameters themselves. Averages of running
    statistics, such as those of batch norms, are not taken anew, as the paper does at the end.

    Raises `ConfigError` for a negative `start` and an `every` below 1.

    >>> decay = stochastic_weight_averaging(start=2, every=2)
    >>> [round(float(decay(jnp.int32(step))), 2) for step in range(6)]
    [0.0, 0.0, 1.0, 0.5, 1.0, 0.67]
    """

    def decay(step: Array) -> Array:
        passed = step + 1 - start
        taken = (passed // every).astype(jnp.float32)
        waits = jnp.where(passed % every == 0, taken / (taken + 1), 1.0)
        return jnp.where(passed < 0, 0.0, waits)

    return decay
