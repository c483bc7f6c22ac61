"""What a schedule is, and the warm-up that all of them begin with."""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from annotated_types import Gt, Le
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Array

Schedule: TypeAlias = Callable[[Any], Any]
"""Step number -> learning rate, both as a number or a device scalar."""
PositiveFraction = Annotated[float, Gt(0), Le(1)]


def after_warmup(schedule: Schedule, peak: float, warmup_steps: int, steps: int) -> Schedule:
    """A linear rise from 0 to the peak over `warmup_steps`, then `schedule` counted from there."""
    expect_room(warmup_steps, steps)

    def rate(step: Array | int) -> Array:
        count = jnp.asarray(step, jnp.float32)
        rising = peak * count / max(warmup_steps, 1)
        return jnp.where(count < warmup_steps, rising, schedule(jnp.maximum(count - warmup_steps, 0)))

    return rate


def expect_room(warmup_steps: float, steps: int) -> None:
    """Raises `ConfigError` where the warm-up is longer than the run."""
    if warmup_steps > steps:
        raise ConfigError(f"warmup_steps = {warmup_steps} is longer than the run of {steps} steps", fix="shorten the warm-up")
