"""Steps in proportion to the norm of what they change, layer by layer: LARS and LAMB, for large batches."""

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.leaves import DECAYED_LEAVES, STACKS, layer_axes, named_leaves, norm
from zerfoo_jax.optim.optimizer import Rate, optimizer
from zerfoo_jax.optim.transformation import stateless


@optimizer
def lars(
    learning_rate: Rate,
    *,
    momentum: Probability = 0.9,
    trust_coefficient: PositiveFloat = 0.001,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
    stacked: tuple[str, ...] = STACKS,
) -> optax.GradientTransformation:
    """m <- momentum m + rate λ (g + β p), p <- p - m, λ = c ‖p‖ / (‖g‖ + β ‖p‖) of each layer (You et al., arXiv 1708.03888).

    c is `trust_coefficient`, β `weight_decay`. Leaves that are not named in `decayed` have λ = 1 and no decay, as has been
    usual since for biases and norms; so do leaves of which p or g is zero have λ = 1. Under a `Stack`, that is where a name in
    the path matches one of `stacked`, every layer has a λ of its own.
    """

    def local(grads: Tree, params: Tree) -> Tree:
        def one(g: Array, p: Array, axes: int, adapts: bool) -> Array:
            if not adapts:
                return g
            p_norm, g_norm = norm(p, axes), norm(g, axes)
            trust = trust_coefficient * p_norm / (g_norm + weight_decay * p_norm)
            return (jnp.where((p_norm > 0) & (g_norm > 0), trust, 1.0) * (g + weight_decay * p)).astype(g.dtype)

        return jax.tree.map(one, grads, params, layer_axes(params, stacked), named_leaves(params, decayed))

    return optax.chain(stateless(local), optax.scale_by_learning_rate(learning_rate), optax.trace(momentum))


@optimizer
def lamb(
    learning_rate: Rate,
    *,
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-6,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
    stacked: tuple[str, ...] = STACKS,
) -> optax.GradientTransformation:
    """p <- p - rate ‖p‖ / ‖u‖ u of each layer, u = Adam's direction + weight_decay p (You et al., arXiv 1904.00962).

    Where p or u is zero the ratio is 1. Weight decay on the leaves named in `decayed`. Under a `Stack`, that is where a name
    in the path matches one of `stacked`, every layer has a ratio of its own.
    """

    def adapted(updates: Tree, params: Tree) -> Tree:
        def one(u: Array, p: Array, axes: int) -> Array:
            p_norm, u_norm = norm(p, axes), norm(u, axes)
            # Divided by 1 where it does not count: 0 / 0 would be NaN.
            ratio = p_norm / jnp.where(u_norm > 0, u_norm, 1.0)
            return (jnp.where((p_norm > 0) & (u_norm > 0), ratio, 1.0) * u).astype(u.dtype)

        return jax.tree.map(one, updates, params, layer_axes(params, stacked))

    return optax.chain(
        optax.scale_by_adam(b1, b2, eps),
        optax.add_decayed_weights(weight_decay, mask=lambda params: named_leaves(params, decayed)),
        stateless(adapted),
        optax.scale_by_learning_rate(learning_rate),
    )
