"""The wires of a graph, led elsewhere."""

from collections.abc import Callable
from dataclasses import replace

from zerfoo_jax.core.errors import GraphError, nearest
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.editing.place import Names
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.node import source
from zerfoo_jax.graph.shared import Shared


def rewire(graph: Graph, old: str, new: str) -> Graph:
    """The graph in which all that took the wire `old` takes `new`.

    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense
    >>> rewire(graph_of({"a": Dense(2), "b": Dense(2)}), "a", "inputs").nodes[1].inputs
    ('inputs',)
    """
    return _mapped(graph, lambda wire: new if wire == old else wire, lambda layer: layer)


def rename_node(graph: Graph, old: str, new: str) -> Graph:
    """The graph whose node or input `old` is called `new`, wherever it is named.

    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Dense, Split
    >>> rename_node(graph_of({"a": Split((1, 1)), "b": (Dense(2), "a:1")}), "a", "c").nodes[1].inputs
    ('c:1',)
    """

    def wire(given: str) -> str:
        name, index = source(given)
        return given if name != old else new if index is None else f"{new}:{index}"

    renamed = _mapped(graph, wire, lambda layer: Shared(new) if layer == Shared(old) else layer)
    nodes = tuple(replace(node, name=new) if node.name == old else node for node in renamed.nodes)
    inputs = tuple(replace(given, name=new) if given.name == old else given for given in graph.declared())
    return replace(renamed, nodes=nodes, inputs=inputs)


def share(graph: Graph, old: str, new: str) -> Graph:
    """The graph in which `new` is the node whose layer the node `old` runs, and the nodes that have run that of `old`."""
    redirected = _mapped(graph, lambda wire: wire, lambda layer: Shared(new) if layer == Shared(old) else layer)
    nodes = tuple(replace(node, layer=Shared(new)) if node.name == old else node for node in redirected.nodes)
    return replace(redirected, nodes=nodes)


def expect_wire(graph: Graph, wire: str, outer: Names) -> str:
    """The wire; raises `GraphError` where no input or node of the graph is its source."""
    known = {*graph.input_names, *(node.name for node in graph.nodes)}
    if source(wire)[0] not in known:
        raise GraphError(f"{wire!r} comes from no node or input", place="/".join((*outer, wire)), fix=nearest(wire, known))
    return wire


def _mapped(graph: Graph, wire: Callable[[str], str], layer: Callable[[Layer], Layer]) -> Graph:
    nodes = tuple(
        replace(node, layer=layer(node.layer), inputs=tuple(wire(given) for given in node.inputs)) for node in graph.nodes
    )
    return replace(graph, nodes=nodes, outputs=tuple(map(wire, graph.outputs)))
