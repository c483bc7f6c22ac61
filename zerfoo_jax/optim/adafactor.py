"""Adafactor: second moments of matrices from the means of their rows and columns."""

from typing import Annotated, NamedTuple

from annotated_types import Ge
import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric import widened
from zerfoo_jax.optim.leaves import DECAYED_LEAVES, STACKS, layer_axes, mean_square, named_leaves
from zerfoo_jax.optim.optimizer import Rate, optimizer
from zerfoo_jax.optim.transformation import transformation


class AdafactorState(NamedTuple):
    """Steps taken, and of each leaf the running means of g²: `row` and `column` of a matrix, `whole` of a vector."""

    step: Array
    means: Tree


@optimizer
def adafactor(
    learning_rate: Rate,
    *,
    decay: NonNegativeFloat = 0.8,
    eps: PositiveFloat | None = None,
    smallest_scale: NonNegativeFloat = 1e-3,
    clipping: Annotated[float, Ge(1)] = 1.0,
    weight_decay: NonNegativeFloat = 0.0,
    decayed: tuple[str, ...] = DECAYED_LEAVES,
    stacked: tuple[str, ...] = STACKS,
) -> optax.GradientTransformation:
    """p <- p - min(rate, 1/√t) max(rms(p), smallest_scale) u / max(1, rms(u) / clipping), u = g / √v (arXiv 1804.04235).

    v is a running mean of g² whose new part weighs t^-decay; of the last two axes it keeps only the means of rows and columns,
    v_ij = r_i c_j / mean(r). As torch's: √v is at least `eps` (by default the dtype's), and so is the mean of r. rms is that
    of a layer: under a `Stack`, that is where a name in the path matches one of `stacked`, every layer has its own. Weight
    decay is decoupled, p <- p - rate weight_decay p, on the leaves named in `decayed`.
    """

    def init(params: Tree) -> AdafactorState:
        return AdafactorState(jnp.int32(0), jax.tree.map(_no_means, params, layer_axes(params, stacked)))

    def update(grads: Tree, state: AdafactorState, params: Tree) -> tuple[Tree, AdafactorState]:
        count = state.step + 1
        new_part = jnp.float32(count) ** -decay
        rate = learning_rate(state.step) if callable(learning_rate) else learning_rate
        slowed = jnp.minimum(rate, 1 / jnp.sqrt(jnp.float32(count)))
        means = jax.tree.map(lambda g, old: _new_means(g, old, new_part), grads, state.means)

        def step(g: Array, means: dict[str, Array], p: Array, axes: int, decays: bool) -> Array:
            least = eps or float(jnp.finfo(p.dtype).eps)
            u = widened(g) / jnp.sqrt(jnp.maximum(_estimate(means, least), least**2))
            scale = slowed * jnp.maximum(jnp.sqrt(mean_square(p, axes)), smallest_scale)
            too_long = jnp.maximum(jnp.sqrt(mean_square(u, axes)) / clipping, 1.0)
            # torch takes the decay off first, but measures rms(p) before it.
            return (-scale * u / too_long - (rate * weight_decay * p if decays else 0.0)).astype(g.dtype)

        axes, decays = layer_axes(params, stacked), named_leaves(params, decayed)
        return jax.tree.map(step, grads, means, params, axes, decays), AdafactorState(count, means)

    return transformation(init, update)


def _no_means(p: Array, axes: int) -> dict[str, Array]:
    if p.ndim - axes < 2:
        return {"whole": jnp.zeros(p.shape, jnp.float32)}
    return {
        "row": jnp.zeros((*p.shape[:-1], 1), jnp.float32),
        "column": jnp.zeros((*p.shape[:-2], 1, p.shape[-1]), jnp.float32),
    }


def _new_means(g: Array, old: dict[str, Array], new_part: Array) -> dict[str, Array]:
    squares = widened(g) ** 2
    now = (
        {"row": squares.mean(-1, keepdims=True), "column": squares.mean(-2, keepdims=True)}
        if "row" in old
        else {"whole": squares}
    )
    return {name: ((1 - new_part) * mean + new_part * now[name]).astype(mean.dtype) for name, mean in old.items()}


def _estimate(means: dict[str, Array], least: float) -> Array:
    if "whole" in means:
        return means["whole"]
    return means["row"] * means["column"] / jnp.maximum(means["row"].mean(-2, keepdims=True), least)
