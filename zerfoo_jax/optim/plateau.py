"""A learning rate that falls where the loss no longer does: kept in the optimizer's state, since no step number tells it."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from annotated_types import Gt, Lt
import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.schedule import Schedule, after_warmup
from zerfoo_jax.optim.transformation import transformation


class PlateauState(NamedTuple):
    """The factor on the rate, the best loss, how many observations were no better, how many are yet ignored, and the sum and
    number of the losses of the observation that is being made."""

    scale: Array
    best: Array
    bad: Array
    ignored: Array
    total: Array
    seen: Array


@dataclass(frozen=True)
class MeasuredSchedule:
    """A schedule whose rate is `rates(step)` times a factor that `scaling()` adjusts to the loss.

    An optimizer that is given one as its learning rate follows it by itself.
    """

    rates: Schedule
    factor: float
    patience: int
    threshold: float
    cooldown: int
    min_fraction: float
    every: int

    def __call__(self, step: Any) -> Any:
        """The rate before its factor."""
        return self.rates(step)

    def scaling(self) -> optax.GradientTransformation:
        """Multiplies updates by the factor, then looks at the step's loss, `value`."""

        def init(params: Tree) -> PlateauState:
            del params
            # Not infinity: a guard against overflow looks for it in this state too.
            best = jnp.float32(jnp.finfo(jnp.float32).max)
            zero, none = jnp.float32(0), jnp.int32(0)
            return PlateauState(jnp.float32(1), best, none, jnp.int32(0), zero, jnp.int32(0))

        def update(
            updates: Tree, state: PlateauState, params: Tree, *, value: Any, **measured: Any
        ) -> tuple[Tree, PlateauState]:
            del params, measured
            scaled = jax.tree.map(lambda u: (state.scale * u).astype(u.dtype), updates)
            state = state._replace(total=state.total + jnp.float32(value), seen=state.seen + 1)
            full = state.seen == self.every
            return scaled, jax.tree.map(lambda a, b: jnp.where(full, a, b), self._observed(state), state)

        return transformation(init, update, measures=True)

    def _observed(self, state: PlateauState) -> PlateauState:
        mean = state.total / state.seen
        better = mean < state.best * (1 - self.threshold)
        waits = state.ignored > 0
        bad = jnp.where(better | waits, 0, state.bad + 1)
        falls = bad > self.patience
        lower = jnp.maximum(state.scale * self.factor, self.min_fraction)
        return PlateauState(
            scale=jnp.where(falls, lower, state.scale),
            best=jnp.where(better, mean, state.best),
            bad=jnp.where(falls, 0, bad),
            ignored=jnp.where(falls, self.cooldown, jnp.where(waits, state.ignored - 1, 0)),
            total=jnp.zeros_like(state.total),
            seen=jnp.zeros_like(state.seen),
        )


@checked
def reduce_on_plateau(
    peak: NonNegativeFloat,
    steps: PositiveInt,
    *,
    warmup_steps: NonNegativeInt = 0,
    factor: Annotated[float, Gt(0), Lt(1)] = 0.1,
    patience: NonNegativeInt = 10,
    threshold: Fraction = 1e-4,
    cooldown: NonNegativeInt = 0,
    min_fraction: Fraction = 0.0,
    every: PositiveInt = 1,
) -> MeasuredSchedule:
    """The peak rate, times `factor` whenever the training loss has not improved for more than `patience` observations.

    An observation is the mean loss of `every` steps; it is an improvement where it is below (1 - threshold) times the best so
    far. After each fall `cooldown` observations are ignored; the rate does not fall below `min_fraction` of the peak. As
    torch's ReduceLROnPlateau, but for that lower bound. The factor is in the optimizer's state.

    >>> [float(reduce_on_plateau(1.0, 10, warmup_steps=2)(step)) for step in range(4)]
    [0.0, 0.5, 1.0, 1.0]
    """
    rates = after_warmup(lambda count: peak, peak, warmup_steps, steps)
    return MeasuredSchedule(rates, factor, patience, threshold, cooldown, min_fraction, every)


def learning_rate_scale(opt_state: Tree) -> Array | None:
    """The factor that a schedule's rate has by now, from the optimizer's state; None where no schedule looks at the loss."""
    leaves = jax.tree.leaves(opt_state, is_leaf=lambda x: isinstance(x, PlateauState))
    return next((x.scale for x in leaves if isinstance(x, PlateauState)), None)
