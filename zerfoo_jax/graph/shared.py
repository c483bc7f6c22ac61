"""One layer at several places of a graph."""

from dataclasses import dataclass
from typing import Any

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.layer import Built, Layer, Walk
from zerfoo_jax.core.types import Array


@dataclass(frozen=True)
class Shared(Layer):
    """The layer of another node of the same graph again, with the same parameters and state: weight tying.

    Randomness is drawn anew at each place. Parameters: none of its own.
    Raises `GraphError` outside a graph, and where the graph has no such node.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense
    >>> twice = graph_of({"first": Dense(4), "second": (Shared("first"), "first")})
    >>> params, state = twice.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4), jnp.float32))
    >>> sorted(params)
    ['first']
    """

    node: str

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        del walk, key, xs
        raise GraphError(f"Shared.node = {self.node!r} names a node of a graph, and here is none", fix="put it into a graph")
