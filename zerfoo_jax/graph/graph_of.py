"""Graphs written down in Python as briefly as in a mapping."""

from collections.abc import Mapping

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.node import Node
from zerfoo_jax.graph.spec import DEFAULT_INPUT


def graph_of(nodes: Mapping[str, Layer | tuple[Layer, *tuple[str, ...]]]) -> Graph:
    """The graph of one input, called `inputs`, and these nodes, whose last is its output.

    A node is a layer, fed by the node before it (the first one by the input), or a layer and the names of what feeds it.

    >>> from zerfoo_jax.layers import Activation, Add, Dense
    >>> graph = graph_of({"hidden": Dense(4), "relu": Activation("relu"), "sum": (Add(), "inputs", "relu")})
    >>> [(node.name, node.inputs) for node in graph.nodes]
    [('hidden', ('inputs',)), ('relu', ('hidden',)), ('sum', ('inputs', 'relu'))]
    """
    wired, before = [], DEFAULT_INPUT
    for name, given in nodes.items():
        layer, *sources = given if isinstance(given, tuple) else (given, before)
        wired.append(Node(name, layer, tuple(sources)))
        before = name
    return Graph((DEFAULT_INPUT,), tuple(wired), (before,))
