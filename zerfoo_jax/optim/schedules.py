"""Learning rates that fall smoothly from a peak. A schedule's maker takes the peak rate and the number of steps of the run."""

import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from zerfoo_jax.optim.schedule import PositiveFraction, Schedule, after_warmup


@checked
def constant(peak: NonNegativeFloat, steps: PositiveInt, *, warmup_steps: NonNegativeInt = 0) -> Schedule:
    """The peak rate throughout, after a linear warm-up.

    >>> [round(float(constant(1.0, 10, warmup_steps=4)(step)), 2) for step in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return after_warmup(optax.constant_schedule(peak), peak, warmup_steps, steps)


@checked
def cosine(
    peak: NonNegativeFloat, steps: PositiveInt, *, warmup_steps: NonNegativeInt = 0, final_fraction: Fraction = 0.0
) -> Schedule:
    """Half a cosine from the peak down to `final_fraction` of it at the last step (Loshchilov & Hutter, arXiv 1608.03983).

    >>> [round(float(cosine(1.0, 4)(step)), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    falling = optax.cosine_decay_schedule(peak, max(steps - warmup_steps, 1), alpha=final_fraction)
    return after_warmup(falling, peak, warmup_steps, steps)


@checked
def linear(
    peak: NonNegativeFloat, steps: PositiveInt, *, warmup_steps: NonNegativeInt = 0, final_fraction: Fraction = 0.0
) -> Schedule:
    """A straight line from the peak down to `final_fraction` of it at the last step.

    >>> [round(float(linear(1.0, 4)(step)), 2) for step in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    falling = optax.linear_schedule(peak, peak * final_fraction, max(steps - warmup_steps, 1))
    return after_warmup(falling, peak, warmup_steps, steps)


@checked
def polynomial(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    warmup_steps: NonNegativeInt = 0,
    power: PositiveFloat = 2.0,
    final_fraction: Fraction = 0.0,
) -> Schedule:
    """peak (f + (1 - f) (1 - t)^power) for the part t of the steps behind the warm-up, f = `final_fraction`.

    >>> [float(polynomial(1.0, 4)(step)) for step in range(5)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
    """
    falling = optax.polynomial_schedule(peak, peak * final_fraction, power, max(steps - warmup_steps, 1))
    return after_warmup(falling, peak, warmup_steps, steps)


@checked
def exponential(
    peak: NonNegativeFloat, steps: PositiveInt, *, warmup_steps: NonNegativeInt = 0, final_fraction: PositiveFraction = 0.01
) -> Schedule:
    """peak f^t for the part t of the steps behind the warm-up, f = `final_fraction`: the same factor at every step.

    >>> [round(float(exponential(1.0, 4, final_fraction=0.0016)(step)), 4) for step in range(5)]
    [1.0, 0.2, 0.04, 0.008, 0.0016]
    """
    length = max(steps - warmup_steps, 1)
    return after_warmup(lambda n: peak * final_fraction ** jnp.minimum(n / length, 1.0), peak, warmup_steps, steps)


@checked
def inverse_sqrt(
    peak: NonNegativeFloat, steps: PositiveInt, *, warmup_steps: NonNegativeInt = 0, timescale: PositiveInt | None = None
) -> Schedule:
    """peak √(s / (s + n)) at the n-th step behind the warm-up, s = `timescale`, by default the warm-up's length (at least 1).

    With that default it is the schedule of the Transformer (Vaswani et al., arXiv 1706.03762).

    >>> [round(float(inverse_sqrt(1.0, 20, warmup_steps=4)(step)), 3) for step in (0, 2, 4, 9, 16)]
    [0.0, 0.5, 1.0, 0.667, 0.5]
    """
    scale = timescale or max(warmup_steps, 1)
    return after_warmup(lambda count: peak * jnp.sqrt(scale / (scale + count)), peak, warmup_steps, steps)
