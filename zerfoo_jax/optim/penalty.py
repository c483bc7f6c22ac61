"""Regularisation: a penalty on parameters, added to the loss that is minimised."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import NonNegativeFloat
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric import widened
from zerfoo_jax.optim.leaves import DECAYED_LEAVES, expect_matches, first_match
from zerfoo_jax.optim.optimizer import Optimizer, promoting
from zerfoo_jax.optim.transformation import transformation

WEIGHTS = tuple(f"**/{name}" for name in DECAYED_LEAVES)


@checked
def penalized(
    optimizer: Optimizer, *, l1: NonNegativeFloat = 0.0, l2: NonNegativeFloat = 0.0, match: tuple[str, ...] = WEIGHTS
) -> Optimizer:
    """The optimizer of loss + l1 Σ |p| + l2/2 Σ p², over the leaves whose paths match one of the patterns `match`.

    Its gradient l1 sign(p) + l2 p goes through the optimizer as that of the loss does, unlike decoupled weight decay. The loss
    that is reported does not contain it. Patterns are those of `grouped`.

    Raises `ConfigError` at `init` for patterns that match nothing, with the nearest paths, unless they are the default.

    >>> from zerfoo_jax.optim import sgd
    >>> params = {"kernel": jnp.array([2.0, -3.0]), "bias": jnp.array(1.0)}
    >>> both = penalized(sgd(1.0), l1=0.5, l2=0.1)
    >>> updates, _ = both.update(jax.tree.map(jnp.zeros_like, params), both.init(params), params)
    >>> [round(x, 1) for x in updates["kernel"].tolist()], bool(updates["bias"] == 0)
    ([-0.7, 0.8], True)
    """
    inside = optax.with_extra_args_support(optimizer)

    def penalty(params: Tree) -> Array:
        chosen = zip(jax.tree.leaves(params), jax.tree.leaves(first_match(params, match)), strict=True)
        wide = [widened(p) for p, number in chosen if number >= 0]
        return sum((l1 * jnp.sum(jnp.abs(p)) + l2 / 2 * jnp.sum(p * p) for p in wide), jnp.float32(0))

    def added(grads: Tree, params: Tree) -> Tree:
        def one(g: Array, p: Array, number: int) -> Array:
            return g if number < 0 else (g + l1 * jnp.sign(p) + l2 * p).astype(g.dtype)

        return jax.tree.map(one, grads, params, first_match(params, match))

    def init(params: Tree) -> Any:
        if match != WEIGHTS:
            expect_matches(params, match, "penalty.match[{}]")
        return inside.init(params)

    def update(grads: Tree, state: Any, params: Tree, **measured: Any) -> tuple[Tree, Any]:
        told = dict(measured)
        if "value" in told:
            told["value"] = measured["value"] + penalty(params)
        if "grad" in told:
            told["grad"] = added(measured["grad"], params)
        if "value_fn" in told:
            told["value_fn"] = lambda moved: measured["value_fn"](moved) + penalty(moved)
        return inside.update(added(grads, params), state, params, **told)

    return promoting(transformation(init, update, measures=True))
