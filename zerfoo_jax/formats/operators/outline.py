"""What is in a graph of operators, for those who look at a file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.summary import NodeSummary, Summary, TensorSummary


def summary_of(graph: OperatorGraph, format: str, facts: Mapping[str, Any]) -> Summary:
    """The summary of a file of that format which holds this graph."""
    return Summary(
        format=format,
        facts={name: value for name, value in facts.items() if value != ""},
        inputs=tuple(map(_value, graph.inputs)),
        outputs=tuple(map(_value, graph.outputs)),
        nodes=tuple(map(_node, graph.nodes)),
        tensors=tuple(TensorSummary(name, str(x.dtype), x.shape, x.nbytes) for name, x in graph.parameters.items()),
    )


def _value(value: Value) -> str:
    if value.shape is None:
        return value.name
    return f"{value.name}: {value.dtype} ({', '.join('any' if size is None else str(size) for size in value.shape)})"


def _node(node: OperatorNode) -> NodeSummary:
    kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    attributes = {name: _attribute(value) for name, value in node.attributes.items()}
    return NodeSummary(node.name, kind, node.inputs, node.outputs, attributes)


def _attribute(value: Attribute) -> Any:
    """The attribute in a few words, where it is more than some numbers."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, OperatorGraph):
        return f"a graph of {len(value.nodes)} nodes"
    return tuple(map(_attribute, value)) if isinstance(value, tuple) else value
