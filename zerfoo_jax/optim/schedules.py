"""The course of the learning rate over a run.

A schedule's maker takes the peak rate and the number of steps of the run, and gives a function step -> rate.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax.numpy as jnp
import optax

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import Fraction, NonNegativeInt
from zerfoo_jax.core.types import Array

Schedule: TypeAlias = Callable[[Any], Any]
"""Step number -> learning rate, both as a number or a device scalar."""


def constant(peak: float, steps: int, *, warmup_steps: NonNegativeInt = 0) -> Schedule:
    """The peak rate throughout, after a linear warm-up.

    >>> [round(float(constant(1.0, 10, warmup_steps=4)(step)), 2) for step in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return after_warmup(optax.constant_schedule(peak), peak, warmup_steps, steps)


def cosine(peak: float, steps: int, *, warmup_steps: NonNegativeInt = 0, final_fraction: Fraction = 0.0) -> Schedule:
    """Half a cosine from the peak down to `final_fraction` of it at the last step (Loshchilov & Hutter, arXiv 1608.03983).

    >>> [round(float(cosine(1.0, 4)(step)), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    falling = optax.cosine_decay_schedule(peak, max(steps - warmup_steps, 1), alpha=final_fraction)
    return after_warmup(falling, peak, warmup_steps, steps)


def linear(peak: float, steps: int, *, warmup_steps: NonNegativeInt = 0, final_fraction: Fraction = 0.0) -> Schedule:
    """A straight line from the peak down to `final_fraction` of it at the last step.

    >>> [round(float(linear(1.0, 4)(step)), 2) for step in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    falling = optax.linear_schedule(peak, peak * final_fraction, max(steps - warmup_steps, 1))
    return after_warmup(falling, peak, warmup_steps, steps)


def after_warmup(schedule: Schedule, peak: float, warmup_steps: int, steps: int) -> Schedule:
    """A linear rise from 0 to the peak over `warmup_steps`, then `schedule` counted from there."""
    if warmup_steps > steps:
        raise ConfigError(f"warmup_steps = {warmup_steps} is longer than the run of {steps} steps", fix="shorten the warm-up")

    def rate(step: Array | int) -> Array:
        count = jnp.asarray(step, jnp.float32)
        rising = peak * count / max(warmup_steps, 1)
        return jnp.where(count < warmup_steps, rising, schedule(jnp.maximum(count - warmup_steps, 0)))

    return rate


SCHEDULES: dict[str, Callable[..., Schedule]] = {"constant": constant, "cosine": cosine, "linear": linear}
