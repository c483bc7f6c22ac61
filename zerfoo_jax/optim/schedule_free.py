"""Schedule-free learning: averaging in the place of a falling rate."""

from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Gt, Lt
import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.evaluation import where_kept
from zerfoo_jax.optim.leaves import DECAYED_LEAVES
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer
from zerfoo_jax.optim.transformation import transformation


class ScheduleFreeState(NamedTuple):
    """Steps taken, Σ of the averages' weights, the greatest rate so far, b1, the sequence z, and the state inside."""

    step: Array
    total: Array
    greatest: Array
    b1: Array
    z: Tree
    inside: Any

    def averaged(self, params: Tree) -> Tree:
        """The sequence x, of which the parameters are y = (1 - b1) z + b1 x."""
        return where_kept(lambda z, y: (z + (y - z) / self.b1).astype(y.dtype), self.z, params)


@optimizer
def schedule_free(
    learning_rate: Rate,
    *,
    base: Literal["adamw", "sgd"] = "adamw",
    b1: Annotated[float, Gt(0), Lt(1)] = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_rate_power: NonNegativeFloat = 2.0,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """z <- z - rate u(y), x <- (1 - c) x + c z, y = (1 - b1) z + b1 x (Defazio et al., arXiv 2405.15682).

    The trained parameters are y, where gradients are taken; evaluated is the average x. u is the gradient (`sgd`) or the
    gradient divided by the root of Adam's mean of g² (`adamw`: `b2`, `eps`), plus weight_decay · y on the leaves named in
    `decayed`. The c of a step is its share in Σ (greatest rate so far)^weight_rate_power. A constant rate with a warm-up is
    meant, no falling one.
    """
    scaling = optax.scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True) if base == "adamw" else optax.identity()
    inside = descending(scaling, learning_rate, weight_decay, decayed)

    def init(params: Tree) -> ScheduleFreeState:
        return ScheduleFreeState(jnp.int32(0), jnp.float32(0), jnp.float32(0), jnp.float32(b1), params, inside.init(params))

    def update(grads: Tree, state: ScheduleFreeState, params: Tree) -> tuple[Tree, ScheduleFreeState]:
        rate = learning_rate(state.step) if callable(learning_rate) else learning_rate
        greatest = jnp.maximum(state.greatest, jnp.float32(rate))
        weight = greatest**weight_rate_power
        total = state.total + weight
        c = weight / jnp.where(total > 0, total, 1.0)
        steps, new = inside.update(grads, state.inside, params)
        z = jax.tree.map(lambda z, u: (z + u).astype(z.dtype), state.z, steps)

        def moved(y: Array, old: Array, new: Array) -> Array:
            x = old + (y - old) / b1
            return ((1 - b1) * new + b1 * ((1 - c) * x + c * new) - y).astype(y.dtype)

        updates = jax.tree.map(moved, params, state.z, z)
        return updates, ScheduleFreeState(state.step + 1, total, greatest, state.b1, z, new)

    return transformation(init, update)
