"""Layers that do not learn: their parameters rest in the state, out of every optimizer's sight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from zerfoo_jax.core.layer import Built, Layer, Walk, run_part
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, spec_of
from zerfoo_jax.numeric import cast_floating
from zerfoo_jax.numeric.precision import wide_dtype


@dataclass(frozen=True)
class Frozen(Layer):
    """y = layer(x) in evaluation mode, with parameters that are no parameters any more but state.

    No gradient is taken of them, and no optimizer, weight decay or average touches them or keeps anything for them. For mixed
    precision they rest in float32 or wider and are cast to the dtype of the first floating input; where all inputs are
    integers, outputs have the precision in which the parameters rest. `zerfoo_jax.graph.editing.freeze` freezes layers of a
    model that has been trained.

    Parameters: none. State: `params` and, where it has any, `state` of `layer`.

    >>> import jax
    >>> from zerfoo_jax.layers import Dense
    >>> params, state = Frozen(Dense(3)).init(jax.random.key(0), jnp.ones((1, 4)))
    >>> params, jax.tree.map(jnp.shape, state)
    ({}, {'params': {'bias': (3,), 'kernel': (4, 3)}})
    """

    layer: Layer

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        return {}, resting_init(self.layer, key, specs)

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        output = walk.visit(self.layer, "layer", key, *xs)[2]
        return {}, {} if walk.problems else resting_init(self.layer, key, xs), output

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        del key, train
        inner, inner_state = awake(state)
        floating = [x.dtype for x in xs if jnp.issubdtype(x.dtype, jnp.floating)]
        cast = cast_floating(inner, floating[0]) if floating else inner
        output, inner_state = run_part(self.layer, "layer", cast, inner_state, *xs)
        return output, resting(inner, inner_state)


def resting(params: Params, state: State) -> State:
    """The state that keeps a layer's variables.

    >>> resting({"bias": 1.0}, {})
    {'params': {'bias': 1.0}}
    """
    return {name: tree for name, tree in (("params", params), ("state", state)) if tree}


def awake(state: State) -> tuple[Params, State]:
    """The variables of the layer whose parameters rest in this state."""
    return state.get("params", {}), state.get("state", {})


def resting_init(layer: Layer, key: Array, xs: Sequence[Any]) -> State:
    """The state that keeps a new layer's variables: as it would get them itself, for inputs in float32 or wider."""
    return resting(*layer.init(key, *map(_wide, map(spec_of, xs))))


def _wide(spec: Spec) -> Spec:
    return Spec(spec.shape, wide_dtype(spec.dtype)) if jnp.issubdtype(spec.dtype, jnp.floating) else spec
