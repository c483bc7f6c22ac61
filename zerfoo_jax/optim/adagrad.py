"""Steps divided by the root of summed or averaged squared gradients: Adagrad, RMSprop, Adadelta."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.adam import moment
from zerfoo_jax.optim.leaves import DECAYED_LEAVES
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer
from zerfoo_jax.optim.transformation import transformation


class AdagradState(NamedTuple):
    """Steps taken and the sum of g²."""

    step: Array
    total: Tree


@optimizer
def adagrad(
    learning_rate: Rate,
    *,
    eps: PositiveFloat = 1e-10,
    initial_sum: NonNegativeFloat = 0.0,
    rate_decay: NonNegativeFloat = 0.0,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """s <- s + g², p <- p - rate g / (√s + eps) (Duchi et al., JMLR 2011).

    As torch's: s begins at `initial_sum`, eps stands outside the root, and the rate of step t = 0, 1, ... is divided by
    1 + t `rate_decay`. Weight decay is decoupled, on the leaves named in `decayed`, by the undivided rate.
    """

    def init(params: Tree) -> AdagradState:
        return AdagradState(jnp.int32(0), jax.tree.map(lambda p: jnp.full_like(p, initial_sum), params))

    def update(grads: Tree, state: AdagradState, params: Tree) -> tuple[Tree, AdagradState]:
        del params
        total = jax.tree.map(lambda s, g: s + g * g, state.total, grads)
        slower = 1 + state.step * rate_decay
        updates = jax.tree.map(lambda g, s: (g / ((jnp.sqrt(s) + eps) * slower)).astype(g.dtype), grads, total)
        return updates, AdagradState(state.step + 1, total)

    return descending(transformation(init, update), learning_rate, weight_decay, decayed)


class RmspropState(NamedTuple):
    """Running means of g² and, where it is centred, of g."""

    nu: Tree
    mu: Tree


@optimizer
def rmsprop(
    learning_rate: Rate,
    *,
    decay: Probability = 0.99,
    eps: PositiveFloat = 1e-8,
    momentum: Probability = 0.0,
    centered: bool = False,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """v <- decay v + (1 - decay) g², u = g / (√v + eps) (Tieleman & Hinton, Coursera 2012).

    With `momentum` m <- momentum m + u is the step. `centered` subtracts the square of the running mean of g from v (Graves,
    arXiv 1308.0850). As torch's: eps stands outside the root and the momentum comes before the rate. Weight decay is
    decoupled, on the leaves named in `decayed`.
    """

    def init(params: Tree) -> RmspropState:
        return RmspropState(jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params) if centered else None)

    def update(grads: Tree, state: RmspropState, params: Tree) -> tuple[Tree, RmspropState]:
        del params
        nu, mu = moment(grads, state.nu, decay, 2), moment(grads, state.mu, decay, 1) if centered else None
        # Rounding can make a variance a little less than nothing.
        variance = jax.tree.map(lambda v, m: jnp.maximum(v - m * m, 0), nu, mu) if centered else nu
        return jax.tree.map(lambda g, v: g / (jnp.sqrt(v) + eps), grads, variance), RmspropState(nu, mu)

    direction = transformation(init, update)
    if momentum:
        direction = optax.chain(direction, optax.trace(momentum))
    return descending(direction, learning_rate, weight_decay, decayed)


@optimizer
def adadelta(
    learning_rate: Rate,
    *,
    decay: Probability = 0.9,
    eps: PositiveFloat = 1e-6,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """u = g √(d + eps) / √(v + eps) for running means v of g² and d of the u² before it (Zeiler, arXiv 1212.5701).

    The paper has a learning rate of 1. Weight decay is decoupled, on the leaves named in `decayed`.
    """
    return descending(optax.scale_by_adadelta(decay, eps), learning_rate, weight_decay, decayed)
