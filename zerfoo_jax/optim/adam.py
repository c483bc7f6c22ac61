"""Adam and its relatives: steps divided by the root of a running mean of squared gradients, with momentum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.leaves import DECAYED_LEAVES
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer
from zerfoo_jax.optim.transformation import transformation


@optimizer
def adam(
    learning_rate: Rate, *, b1: Probability = 0.9, b2: Probability = 0.999, eps: PositiveFloat = 1e-8
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba, arXiv 1412.6980)."""
    return optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)


@optimizer
def adamw(
    learning_rate: Rate,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.01,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101) on the leaves named in `decayed`."""
    return descending(optax.scale_by_adam(b1, b2, eps), learning_rate, weight_decay, decayed)


class AmsgradState(NamedTuple):
    """Steps taken, running means of g and g², and the greatest mean of g² so far."""

    step: Array
    mu: Tree
    nu: Tree
    greatest: Tree


@optimizer
def amsgrad(
    learning_rate: Rate,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """Adam that divides by the root of the greatest mean of g² so far (Reddi et al., arXiv 1904.09237).

    As torch's `Adam(amsgrad=True)`: the greatest of the means before their bias correction, which then follows. Weight decay
    is decoupled, on the leaves named in `decayed`.
    """

    def init(params: Tree) -> AmsgradState:
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(3)]
        return AmsgradState(jnp.int32(0), *zeros)

    def update(grads: Tree, state: AmsgradState, params: Tree) -> tuple[Tree, AmsgradState]:
        del params
        count = state.step + 1
        mu, nu = moment(grads, state.mu, b1, 1), moment(grads, state.nu, b2, 2)
        greatest = jax.tree.map(jnp.maximum, state.greatest, nu)
        c1, c2 = 1 - b1**count, 1 - b2**count
        updates = jax.tree.map(lambda m, v: ((m / c1) / (jnp.sqrt(v / c2) + eps)).astype(m.dtype), mu, greatest)
        return updates, AmsgradState(count, mu, nu, greatest)

    return descending(transformation(init, update), learning_rate, weight_decay, decayed)


class NadamState(NamedTuple):
    """Steps taken, running means of g and g², and the product of the momenta so far."""

    step: Array
    mu: Tree
    nu: Tree
    product: Array


@optimizer
def nadam(
    learning_rate: Rate,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    momentum_decay: NonNegativeFloat = 4e-3,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
) -> optax.GradientTransformation:
    """Adam with Nesterov momentum (Dozat, ICLR workshop 2016), with the rising momentum of that paper and of torch.

    The momentum of step t is b1 (1 - 0.5 · 0.96^(t momentum_decay)); optax's nadam keeps it at b1. Weight decay is decoupled,
    on the leaves named in `decayed`.
    """

    def init(params: Tree) -> NadamState:
        zeros = [jax.tree.map(jnp.zeros_like, params) for _ in range(2)]
        return NadamState(jnp.int32(0), *zeros, product=jnp.float32(1))

    def momentum(count: Array) -> Array:
        return b1 * (1 - 0.5 * 0.96 ** (count * momentum_decay))

    def update(grads: Tree, state: NadamState, params: Tree) -> tuple[Tree, NadamState]:
        del params
        count = state.step + 1
        mu, nu = moment(grads, state.mu, b1, 1), moment(grads, state.nu, b2, 2)
        now, following = momentum(count), momentum(count + 1)
        product = state.product * now
        for_gradient, for_mean = (1 - now) / (1 - product), following / (1 - product * following)
        c2 = 1 - b2**count

        def direction(g: Array, m: Array, v: Array) -> Array:
            return ((for_gradient * g + for_mean * m) / (jnp.sqrt(v / c2) + eps)).astype(g.dtype)

        return jax.tree.map(direction, grads, mu, nu), NadamState(count, mu, nu, product)

    return descending(transformation(init, update), learning_rate, weight_decay, decayed)


def moment(grads: Tree, mean: Tree, decay: float, power: int) -> Tree:
    """decay · mean + (1 - decay) g^power."""
    return jax.tree.map(lambda g, m: decay * m + (1 - decay) * g**power, grads, mean)
