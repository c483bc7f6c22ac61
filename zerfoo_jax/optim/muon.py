"""Muon: momentum made orthogonal, for matrices."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric import widened
from zerfoo_jax.optim.adam import moment
from zerfoo_jax.optim.leaves import DECAYED_LEAVES, STACKS, layer_axes, named_leaves, norm
from zerfoo_jax.optim.optimizer import Rate, descending, optimizer
from zerfoo_jax.optim.partition import partitioned
from zerfoo_jax.optim.transformation import transformation

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of Jordan's quintic: they bring singular values near 1 in few steps rather than to it in many."""


class MuonState(NamedTuple):
    """The running mean of gradients."""

    mu: Tree


@optimizer
def muon(
    learning_rate: Rate,
    *,
    momentum: Probability = 0.95,
    nesterov: bool = True,
    newton_schulz_steps: PositiveInt = 5,
    scaling: Literal["original", "match_rms_adamw"] = "original",
    b1: Probability = 0.9,
    b2: Probability = 0.999,
    eps: PositiveFloat = 1e-8,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
    stacked: tuple[str, ...] = STACKS,
) -> optax.GradientTransformation:
    """Kernels with two axes move along their orthogonalised momentum, all other leaves as under AdamW (Jordan et al., 2024,
    kellerjordan.github.io/posts/muon; torch.optim.Muon).

    m <- momentum m + (1 - momentum) g; the direction is the nearest orthogonal matrix, roughly, of (1 - momentum) g +
    momentum m (`nesterov`) or of m, by so many Newton-Schulz steps in float32, times √max(1, outputs / inputs), or times
    0.2 √max(outputs, inputs) (`match_rms_adamw`, Liu et al., arXiv 2502.16982: rates as for AdamW). `b1`, `b2`, `eps` are
    AdamW's. Under a `Stack`, that is where a name in the path matches one of `stacked`, kernels are taken layer by layer.
    Weight decay is decoupled, on the leaves named in `decayed`.
    """

    def labels(params: Tree) -> Tree:
        def one(p: Array, axes: int, is_kernel: bool) -> str:
            return "muon" if is_kernel and p.ndim - axes == 2 else "adamw"

        return jax.tree.map(one, params, layer_axes(params, stacked), named_leaves(params, ("kernel",)))

    def init(params: Tree) -> MuonState:
        return MuonState(jax.tree.map(jnp.zeros_like, params))

    def update(grads: Tree, state: MuonState, params: Tree) -> tuple[Tree, MuonState]:
        del params
        mu = moment(grads, state.mu, momentum, 1)
        ahead = moment(grads, mu, momentum, 1) if nesterov else mu

        def direction(m: Array) -> Array:
            inputs, outputs = m.shape[-2:]
            original = max(1.0, outputs / inputs) ** 0.5
            factor = original if scaling == "original" else 0.2 * max(inputs, outputs) ** 0.5
            return (factor * orthogonalized(widened(m), newton_schulz_steps)).astype(m.dtype)

        return jax.tree.map(direction, ahead), MuonState(mu)

    directions = {"muon": transformation(init, update), "adamw": optax.scale_by_adam(b1, b2, eps)}
    return descending(partitioned(directions, labels), learning_rate, weight_decay, decayed)


def orthogonalized(x: Array, steps: int) -> Array:
    """X <- a X + (b X Xᵀ + c (X Xᵀ)²) X, so often, of the matrices in the last two axes, each first divided by its norm."""
    a, b, c = COEFFICIENTS
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / jnp.maximum(norm(x, x.ndim - 2), 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.mT if tall else x
