"""Graphs of operators without what nobody needs, and with other names."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph, OperatorNode
from zerfoo_jax.formats.operators.wiring import captured, sub_graphs


def cleaned(graph: OperatorGraph) -> OperatorGraph:
    """The graph without nodes and parameters that no output needs."""
    wanted = {value.name for value in graph.outputs}
    kept: list[OperatorNode] = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            node = with_graphs(node, cleaned)
            kept.append(node)
            wanted |= uses(node)
    parameters = {name: array for name, array in graph.parameters.items() if name in wanted}
    return replace(graph, nodes=tuple(kept[::-1]), parameters=parameters)


def uses(node: OperatorNode) -> set[str]:
    """The values that a node or a graph in it takes."""
    inner = (name for sub in sub_graphs(node) for name in captured(sub))
    return {*filter(None, node.inputs), *inner}


def renamed(graph: OperatorGraph, names: Mapping[str, str]) -> OperatorGraph:
    """The graph with other names for some values, in the graphs within it too."""
    return replace(
        graph,
        nodes=tuple(_renamed_node(node, names) for node in graph.nodes),
        inputs=tuple(replace(value, name=names.get(value.name, value.name)) for value in graph.inputs),
        outputs=tuple(replace(value, name=names.get(value.name, value.name)) for value in graph.outputs),
        parameters={names.get(name, name): array for name, array in graph.parameters.items()},
    )


def _renamed_node(node: OperatorNode, names: Mapping[str, str]) -> OperatorNode:
    inputs = tuple(names.get(name, name) for name in node.inputs)
    outputs = tuple(names.get(name, name) for name in node.outputs)
    return with_graphs(replace(node, inputs=inputs, outputs=outputs), lambda sub: renamed(sub, names))


def with_graphs(node: OperatorNode, change: Callable[[OperatorGraph], OperatorGraph]) -> OperatorNode:
    """The node with the graphs in its attributes changed."""

    def changed(value: Attribute) -> Attribute:
        if isinstance(value, tuple):
            return tuple(change(item) if isinstance(item, OperatorGraph) else item for item in value)
        return change(value) if isinstance(value, OperatorGraph) else value

    return replace(node, attributes={name: changed(value) for name, value in node.attributes.items()})
