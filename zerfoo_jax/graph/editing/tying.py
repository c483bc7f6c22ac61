"""Two nodes with the same parameters."""

from zerfoo_jax.core.errors import GraphError, Problem
from zerfoo_jax.core.layer import abstract
from zerfoo_jax.graph.editing.draft import Draft
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.place import split_path, trail
from zerfoo_jax.graph.editing.wires import share
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.shared import Shared


def tie(network: Network, path: str, *, to: str) -> Network:
    """The network whose node at a path runs the layer of the node `to`, with its parameters and state; its own go.

    Raises `GraphError` unless both are nodes of one graph, of one kind and with parameters and state of equal shapes.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(graph_of({"a": Dense(4), "b": Dense(4)}), jax.random.key(0), jnp.ones((1, 4)))
    >>> sorted(tie(network, "b", to="a").params)
    ['a']
    """
    own, other = (trail(network.model, split_path(given)) for given in (path, to))
    *outer, name = own[-1].names or ("",)
    holder = own[-2].layer if outer or name else None
    if not isinstance(holder, Graph) or list(other[-1].names[:-1]) != outer or own[-1].names == other[-1].names:
        raise GraphError(f"{path!r} and {to!r} are not two nodes of one graph", place=path, fix="tie nodes side by side")
    if isinstance(other[-1].layer, Shared):
        return tie(network, path, to="/".join((*outer, other[-1].layer.node)))
    draft = Draft.of(network)
    if not isinstance(own[-1].layer, Shared):
        _expect_alike(path, to, *((type(t[-1].layer), abstract(draft.variables_of(t[-1]))) for t in (own, other)))
    shared = share(holder, name, other[-1].names[-1])
    return draft.rebuilt(tuple(outer), shared, {name: None}).finish(None, *network.specs)


def _expect_alike(path: str, to: str, own: tuple, other: tuple) -> None:
    problems = []
    if own[0] is not other[0]:
        problems.append(Problem(f"is a {own[0].__name__}, and {to!r} a {other[0].__name__}", path, "tie layers of one kind"))
    if own[1] != other[1]:
        problems.append(Problem(f"has variables {own[1]}, and {to!r} {other[1]}", path, "tie layers of equal shapes"))
    if problems:
        raise GraphError(problems)
