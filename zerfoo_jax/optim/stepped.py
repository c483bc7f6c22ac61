"""Learning rates that fall in steps, or rise again."""

from itertools import pairwise
from typing import Literal

import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt
from zerfoo_jax.core.types import Array
from zerfoo_jax.optim.schedule import PositiveFraction, Schedule, after_warmup, expect_room


@checked
def step(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    every: PositiveInt,
    warmup_steps: NonNegativeInt = 0,
    factor: PositiveFraction = 0.1,
) -> Schedule:
    """The peak, times `factor` after every `every` steps behind the warm-up.

    >>> [round(float(step(1.0, 6, every=2)(n)), 3) for n in range(6)]
    [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]
    """
    return after_warmup(lambda count: peak * factor ** jnp.floor(count / every), peak, warmup_steps, steps)


@checked
def multi_step(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    milestones: tuple[PositiveInt, ...],
    warmup_steps: NonNegativeInt = 0,
    factor: PositiveFraction = 0.1,
) -> Schedule:
    """The peak, times `factor` from each of the steps `milestones` on, counted from the beginning of the run.

    Raises `ConfigError` for milestones that do not rise or lie in the warm-up.

    >>> [round(float(multi_step(1.0, 6, milestones=(2, 5))(n)), 3) for n in range(6)]
    [1.0, 1.0, 0.1, 0.1, 0.1, 0.01]
    """
    if any(b <= a for a, b in pairwise((warmup_steps, *milestones))):
        cause = f"multi_step.milestones = {milestones} do not rise, or begin in the warm-up"
        raise ConfigError(cause, place="milestones", fix="list steps behind the warm-up, the first first")
    drops = jnp.asarray(milestones, jnp.float32) - warmup_steps

    def falling(count: Array) -> Array:
        return peak * factor ** jnp.searchsorted(drops, count, side="right").astype(jnp.float32)

    return after_warmup(falling, peak, warmup_steps, steps)


@checked
def cosine_restarts(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    period: PositiveInt,
    warmup_steps: NonNegativeInt = 0,
    growth: PositiveInt = 1,
    final_fraction: Fraction = 0.0,
) -> Schedule:
    """Half cosines from the peak down to `final_fraction` of it, each beginning anew (Loshchilov & Hutter, arXiv 1608.03983).

    The first takes `period` steps behind the warm-up, each further one `growth` times those of the one before.

    >>> [round(float(cosine_restarts(1.0, 6, period=2, growth=2)(n)), 3) for n in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """
    lengths = [period]
    while growth > 1 and sum(lengths) <= steps:
        lengths.append(lengths[-1] * growth)
    starts = jnp.asarray([sum(lengths[:i]) for i in range(len(lengths))], jnp.float32)

    def falling(count: Array) -> Array:
        cycle = jnp.searchsorted(starts, count, side="right") - 1
        part = jnp.mod(count - starts[cycle], lengths[-1]) / jnp.asarray(lengths, jnp.float32)[cycle]
        return peak * (final_fraction + (1 - final_fraction) * (1 + jnp.cos(jnp.pi * part)) / 2)

    return after_warmup(falling, peak, warmup_steps, steps)


@checked
def one_cycle(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    warmup_steps: NonNegativeInt | None = None,
    initial_fraction: Fraction = 0.04,
    final_fraction: Fraction = 4e-6,
    shape: Literal["cosine", "linear"] = "cosine",
) -> Schedule:
    """One rise from `initial_fraction` of the peak and one fall to `final_fraction` of it (Smith & Topin, arXiv 1708.07120).

    The rise takes `warmup_steps`, by default three tenths of the run, counted as torch does; both are half cosines or straight
    lines.

    >>> [round(float(one_cycle(1.0, 6, warmup_steps=2, shape="linear")(n)), 2) for n in range(7)]
    [0.04, 0.52, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    rise = max(0.3 * (steps + 1) - 1, 0) if warmup_steps is None else warmup_steps
    expect_room(rise, steps)

    def between(start: float, end: float, part: Array) -> Array:
        part = jnp.clip(part, 0.0, 1.0)
        return peak * (start + (end - start) * (part if shape == "linear" else (1 - jnp.cos(jnp.pi * part)) / 2))

    def rate(number: Array | int) -> Array:
        count = jnp.asarray(number, jnp.float32)
        rising = between(initial_fraction, 1.0, count / max(rise, 1))
        return jnp.where(count < rise, rising, between(1.0, final_fraction, (count - rise) / max(steps - rise, 1)))

    return rate
