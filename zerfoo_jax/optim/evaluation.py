"""Optimizers that keep better parameters than those they train: where these are found."""

from typing import Any, Protocol, runtime_checkable

import jax
import optax

from zerfoo_jax.core.types import Params, Tree


@runtime_checkable
class KeepsAverage(Protocol):
    """An optimizer's state from which parameters to evaluate with can be had."""

    def averaged(self, params: Tree) -> Tree:
        """The parameters to evaluate with; where the state has nothing on a leaf, that of `params`."""
        ...


def evaluation_params(opt_state: Any, params: Params) -> Params:
    """The parameters to evaluate with: the average that the optimizer keeps, or `params` where it keeps none.

    >>> import jax.numpy as jnp
    >>> from zerfoo_jax.optim import lookahead, sgd
    >>> params = {"kernel": jnp.array([1.0])}
    >>> optimizer = lookahead(sgd(0.5), every=2)
    >>> evaluation_params(optimizer.init(params), {"kernel": jnp.array([0.5])})["kernel"].tolist()
    [1.0]
    """
    for state in jax.tree.leaves(opt_state, is_leaf=_keeps_average):
        params = state.averaged(params) if _keeps_average(state) else params
    return params


def _keeps_average(state: Any) -> bool:
    return isinstance(state, KeepsAverage)


def where_kept(function: Any, kept: Tree, params: Tree) -> Tree:
    """`function(kept, parameter)` of every leaf that is kept; the parameter itself where another optimizer has it."""

    def one(kept: Any, p: Tree) -> Tree:
        return p if isinstance(kept, optax.MaskedNode) else function(kept, p)

    return jax.tree.map(one, kept, params, is_leaf=lambda x: isinstance(x, optax.MaskedNode))
