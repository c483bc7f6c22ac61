"""Lookahead: slow weights that follow those of another optimizer."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import Fraction, PositiveInt
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.optim.evaluation import where_kept
from zerfoo_jax.optim.optimizer import Optimizer, promoting
from zerfoo_jax.optim.transformation import transformation


class LookaheadState(NamedTuple):
    """Steps taken, the slow weights and the state of the optimizer inside."""

    step: Array
    slow: Tree
    inside: Any

    def averaged(self, params: Tree) -> Tree:
        """The slow weights."""
        return where_kept(lambda slow, p: slow, self.slow, params)


@checked
def lookahead(optimizer: Optimizer, *, every: PositiveInt = 5, alpha: Fraction = 0.5) -> Optimizer:
    """Every so many steps: slow <- slow + alpha (fast - slow), fast <- slow (Zhang et al., arXiv 1907.08610).

    The trained parameters are the fast weights; evaluated are the slow ones, which the state keeps.

    >>> from zerfoo_jax.optim import sgd
    >>> params = {"kernel": jnp.array(8.0)}
    >>> both = lookahead(sgd(1.0), every=2, alpha=0.5)
    >>> state = both.init(params)
    >>> for _ in range(4):
    ...     updates, state = both.update({"kernel": jnp.array(1.0)}, state, params)
    ...     params = optax.apply_updates(params, updates)
    ...     print(float(params["kernel"]))
    7.0
    7.0
    6.0
    6.0
    """
    inside = optax.with_extra_args_support(optimizer)

    def init(params: Tree) -> LookaheadState:
        return LookaheadState(jnp.int32(0), params, inside.init(params))

    def update(grads: Tree, state: LookaheadState, params: Tree, **measured: Any) -> tuple[Tree, LookaheadState]:
        updates, new = inside.update(grads, state.inside, params, **measured)
        count = (state.step + 1) % every
        meets = count == 0

        def followed(slow: Array, p: Array, u: Array) -> Array:
            return jnp.where(meets, slow + alpha * (p + u - slow), slow).astype(slow.dtype)

        slow = jax.tree.map(followed, state.slow, params, updates)
        updates = jax.tree.map(lambda u, s, p: jnp.where(meets, s - p, u).astype(u.dtype), updates, slow, params)
        return updates, LookaheadState(count, slow, new)

    return promoting(transformation(init, update, measures=True))
