"""A part of a graph as a network of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zerfoo_jax.core.errors import GraphError, Problem
from zerfoo_jax.core.layer import Layer, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing.draft import Draft, Renames
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.editing.wires import expect_wire, rewire
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.node import Node, source
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.layers import Sequential


def subgraph(network: Network, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> Network:
    """The network from some wires of a graph to others, with the parameters of what lies between.

    A wire is a node, one output of a node (`split:1`) or an input of the graph; left out, `inputs` and `outputs` are those of
    the graph. Wires become inputs of that name, `split:1` becomes `split_1`. A `Sequential` counts as a graph of its layers.
    Raises `GraphError` for unknown wires, for what the outputs need besides the inputs, and for inputs that they do not need.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.models import mlp
    >>> network = Network.new(mlp(features=3, hidden=(8,)), jax.random.key(0), jnp.ones((1, 4)))
    >>> head = subgraph(network, inputs=["activation_0"])
    >>> head.specs[0].shape, sorted(head.params)
    ((1, 8), ['dense_1'])
    """
    graph = as_graph(network.model, len(network.specs))
    starts = [expect_wire(graph, wire, ()) for wire in (graph.input_names if inputs is None else inputs)]
    ends = tuple(expect_wire(graph, wire, ()) for wire in (graph.outputs if outputs is None else outputs))
    kept = _between(graph, starts, ends, given=inputs is not None)
    specs = _wire_specs(graph, network.specs)
    declared = {one.name: one for one in graph.declared()}
    named = {wire: wire.replace(":", "_") for wire in starts}
    cut = replace(graph, nodes=tuple(node for node in graph.nodes if node.name in kept), outputs=ends)
    for wire, name in named.items():
        cut = rewire(cut, wire, name)
    cut, renames = _with_owners(cut, graph)
    cut = replace(cut, inputs=tuple(declared.get(wire, Input(named[wire])) for wire in starts))
    draft = Draft(graph, Draft.of(network).variables).rebuilt((), cut, renames)
    return draft.finish(None, *(_spec_at(specs, wire) for wire in starts))


def as_graph(model: Layer, inputs: int) -> Graph:
    """A graph that computes the same, with the same parameters; raises `GraphError` for other layers than `Sequential`.

    >>> from zerfoo_jax.layers import Dense, Flatten
    >>> as_graph(Sequential((Flatten(), Dense(2))), 1).outputs
    ('dense_0',)
    """
    if isinstance(model, Graph):
        return model
    if not isinstance(model, Sequential):
        raise GraphError(f"a {type(model).__name__} has no wires to cut", fix="cut graphs and Sequentials")
    names = default_inputs(inputs)
    before, nodes = names, []
    for name, layer in model.children().items():
        nodes.append(Node(name, layer, before))
        before = (name,)
    return Graph(names, tuple(nodes), before)


def default_inputs(count: int) -> tuple[str, ...]:
    """Names for the inputs of a model that does not name them.

    >>> default_inputs(1), default_inputs(2)
    (('inputs',), ('inputs_0', 'inputs_1'))
    """
    return ("inputs",) if count == 1 else tuple(f"inputs_{i}" for i in range(count))


def _between(graph: Graph, starts: Sequence[str], ends: Sequence[str], *, given: bool) -> set[str]:
    """The names of the nodes that the ends need; raises `GraphError` where the starts are too few or too many."""
    nodes = {node.name: node for node in graph.nodes}
    kept: set[str] = set()
    reached: set[str] = set()
    problems: dict[str, Problem] = {}
    ahead = list(ends)
    while ahead:
        wire = ahead.pop()
        name = source(wire)[0]
        if wire in starts:
            reached.add(wire)
        elif name not in nodes:
            problems[name] = Problem(f"the outputs need {name!r}, which is not among the inputs", name, "add it to inputs")
        elif name not in kept:
            kept.add(name)
            ahead += nodes[name].inputs
    unused = [wire for wire in starts if wire not in reached] if given else []
    found = [*problems.values(), *(Problem(f"the outputs do not need {w!r}", w, "leave it out of inputs") for w in unused)]
    if found:
        raise GraphError(found)
    return kept


def _with_owners(cut: Graph, graph: Graph) -> tuple[Graph, Renames]:
    """The cut graph in which, of nodes that share a layer that was cut off, the first owns it; and where variables go."""
    layers = {node.name: node.layer for node in graph.nodes}
    kept = {node.name for node in cut.nodes}
    renames: dict[str, str | None] = {name: None for name in layers if name not in kept}
    nodes = []
    for node in cut.nodes:
        layer = node.layer
        if isinstance(layer, Shared) and layer.node not in kept:
            heir = renames[layer.node]
            renames[layer.node] = heir or node.name
            layer = Shared(heir) if heir else layers[layer.node]
        nodes.append(replace(node, layer=layer))
    return replace(cut, nodes=tuple(nodes)), renames


def _wire_specs(graph: Graph, specs: Sequence[Spec]) -> Mapping[str, Any]:
    found = walk(graph, *specs)
    return dict(zip(graph.input_names, specs, strict=True)) | {visit.path: visit.output for visit in found.visits}


def _spec_at(specs: Mapping[str, Any], wire: str) -> Spec:
    name, index = source(wire)
    return specs[name] if index is None else specs[name][index]
