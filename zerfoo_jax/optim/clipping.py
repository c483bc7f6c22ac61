"""Bounds on gradients before an optimizer sees them."""

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.leaves import STACKS, layer_axes, norm
from zerfoo_jax.optim.optimizer import Optimizer, promoting
from zerfoo_jax.optim.transformation import stateless


@checked
def clipped(optimizer: Optimizer, norm: PositiveFloat) -> Optimizer:
    """The optimizer behind a clip of the gradients' global norm (Pascanu et al., arXiv 1211.5063)."""
    return promoting(optax.chain(optax.clip_by_global_norm(norm), optimizer))


@checked
def clipped_by_value(optimizer: Optimizer, value: PositiveFloat) -> Optimizer:
    """The optimizer behind a clip of every number of the gradients to [-value, value]."""
    return promoting(optax.chain(optax.clip(value), optimizer))


@checked
def clipped_adaptively(
    optimizer: Optimizer, ratio: PositiveFloat, *, eps: PositiveFloat = 1e-3, stacked: tuple[str, ...] = STACKS
) -> Optimizer:
    """The optimizer behind a clip of each unit's gradient to ‖g‖ <= ratio · max(‖p‖, eps) (Brock et al., arXiv 2102.06171).

    A unit is what makes one output: of kernels a slice along the last axis, of vectors the whole. Under a `Stack`, that is
    where a name in the path matches one of `stacked`, every layer has its own.
    """

    def shortened(grads: Tree, params: Tree) -> Tree:
        def one(g: Array, p: Array, axes: int) -> Array:
            longest = ratio * jnp.maximum(unit_norm(p, axes), eps)
            return (g * jnp.minimum(1.0, longest / jnp.maximum(unit_norm(g, axes), 1e-6))).astype(g.dtype)

        return jax.tree.map(one, grads, params, layer_axes(params, stacked))

    return promoting(optax.chain(stateless(shortened), optimizer))


def unit_norm(x: Array, batch_axes: int) -> Array:
    """The norm over all axes but the first `batch_axes` and, where more than one remains, the last."""
    if x.ndim - batch_axes < 2:
        return norm(x, batch_axes)
    return jnp.moveaxis(norm(jnp.moveaxis(x, -1, batch_axes), batch_axes + 1), batch_axes, -1)
