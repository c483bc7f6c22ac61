"""ZMF files of ONNX operators, as ZONNX writes them, with the quirks of its files."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, ZerfooError
from zerfoo_jax.formats.limits import check_name, check_shape
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.network import to_network
from zerfoo_jax.formats.operators.wiring import check_wiring
from zerfoo_jax.formats.zmf.attributes import operator_attribute_of, operator_value_of
from zerfoo_jax.formats.zmf.decode import named
from zerfoo_jax.formats.zmf.dtypes import dtype_of
from zerfoo_jax.formats.zmf.promoted import demoted
from zerfoo_jax.formats.zmf.schema import (
    DOMAIN,
    EXTENSION_VERSION,
    Attribute,
    Extension,
    Graph,
    Metadata,
    Model,
    Node,
    Tensor,
    ValueInfo,
)
from zerfoo_jax.formats.zmf.tensors import Quantize, array_of, lost, parameter_tensor, unclear
from zerfoo_jax.formats.zmf.values import known_of, value_info, value_type
from zerfoo_jax.graph.editing.network import Network

Missing = Literal["refuse", "zeros"] | Mapping[str, Any]
"""What stands for tensors whose bytes were lost: nothing, zeros, or these arrays by name."""

OPSET = 17
"""Of files that do not say theirs: what was new when the original was written."""


def network_of(model: Model, missing: Missing = "refuse", shapes: Mapping[str, Sequence[int]] | None = None) -> Network:
    """The operators of a file as a network; `FormatError` too for operators that are not supported."""
    graph = operator_graph_of(model, missing)
    try:
        return to_network(graph, "graph", shapes=shapes)
    except ZerfooError as error:
        raise FormatError(error.problems) from None


def operator_graph_of(model: Model, missing: Missing = "refuse") -> OperatorGraph:
    """The operators of a file; raises `FormatError`."""
    metadata, extension = model.metadata or Metadata(), model.extension or Extension()
    if not 0 <= metadata.opset_version < 2**31:
        raise FormatError(f"version {metadata.opset_version} of the operators", place="metadata/opset_version")
    opsets = {"": metadata.opset_version or OPSET, **extension.opsets}
    graph = _graph(model.graph or Graph(), opsets[""], missing)
    facts = {"producer": metadata.producer_name, "producer_version": metadata.producer_version}
    facts = {name: value for name, value in facts.items() if value} | dict(extension.metadata)
    whole = OperatorGraph(graph.nodes, graph.inputs, graph.outputs, graph.parameters, opsets, graph.name, facts)
    check_wiring(whole, "graph")
    return whole


def _graph(graph: Graph, version: int, missing: Missing) -> OperatorGraph:
    parameters = {
        name: named(_parameter, f"graph/parameters/{name}", name, tensor, missing) for name, tensor in graph.parameters.items()
    }
    nodes = _by_values([_node(node, i, version) for i, node in enumerate(graph.nodes)], parameters.keys(), graph.inputs)
    taken = {*parameters, *(name for node in nodes for name in (*node.inputs, *node.outputs))}
    nodes, demotions = demoted(nodes, version, taken)
    return OperatorGraph(
        nodes=tuple(nodes),
        inputs=tuple(_value(value, "inputs") for value in graph.inputs if value.name not in parameters),
        outputs=tuple(_value(value, "outputs") for value in graph.outputs),
        parameters=parameters | demotions,
        name=graph.name,
    )


def _parameter(name: str, tensor: Tensor, missing: Missing) -> np.ndarray:
    """The value of a tensor, or what stands for it where its bytes were lost or do not say what they are."""
    if isinstance(missing, Mapping) and name in missing and unclear(tensor):
        return _given(name, missing, check_shape(tensor.shape, ""), "int16", "uint16")
    if missing == "refuse" or not lost(tensor):
        return array_of(tensor)
    shape, dtype = check_shape(tensor.shape, ""), dtype_of(tensor.dtype, tensor.dtype_name)
    if missing == "zeros":
        # One zero in all places takes no memory, whatever the file claims.
        return np.broadcast_to(np.zeros((), dtype), shape)
    if name not in missing:
        return array_of(tensor)
    return _given(name, missing, shape, dtype.name)


def _given(name: str, missing: Mapping[str, Any], shape: tuple[int, ...], *dtypes: str) -> np.ndarray:
    """The array that was given for a tensor; `ConfigError` for one of another shape or of none of these dtypes."""
    given = np.asarray(missing[name])
    if given.shape != shape or given.dtype.name not in dtypes:
        says = f"{' or '.join(dtypes)} {shape}"
        raise ConfigError(f"missing[{name!r}] is {given.dtype} {given.shape}, the file says {says}", place="missing")
    return given


def _node(node: Node, index: int, version: int) -> OperatorNode:
    place = f"graph/nodes/{node.name or index}"
    for name in (node.op_type, *filter(None, (node.name, *node.inputs, *node.outputs)), *node.attributes):
        check_name(name, place)
    attributes = {
        name: named(operator_value_of, f"{place}/{name}", attribute, lambda graph: _graph(graph, version, "refuse"))
        for name, attribute in node.attributes.items()
    }
    if node.epsilon is not None and not isfinite(node.epsilon):
        raise FormatError(f"epsilon = {node.epsilon}", place=place)
    fields = {"epsilon": node.epsilon, "perm": tuple(node.perm) or None, "axis": node.axis}
    attributes = {name: value for name, value in fields.items() if value is not None} | attributes
    outputs = tuple(node.outputs) or (node.name,)
    return OperatorNode(node.op_type, tuple(node.inputs), outputs, attributes, node.name, node.domain)


def _by_values(nodes: list[OperatorNode], parameters: Iterable[str], inputs: Iterable[ValueInfo]) -> list[OperatorNode]:
    """The nodes with values as inputs where Zerfoo's exporter names the nodes that they come from."""
    values = {*parameters, *(value.name for value in inputs), *(name for node in nodes for name in node.outputs)}
    made = {node.name: node.outputs[0] for node in nodes if node.name and node.name not in values and node.outputs[0]}
    return [
        OperatorNode(
            node.op_type,
            tuple(made.get(name, name) if name not in values else name for name in node.inputs),
            node.outputs,
            node.attributes,
            node.name,
            node.domain,
        )
        for node in nodes
    ]


def _value(value: ValueInfo, place: str) -> Value:
    return Value(value.name, *named(known_of, f"graph/{place}/{value.name}", value))


def message_of(graph: OperatorGraph, quantize: Quantize | None = None) -> Model:
    """The operators as messages, with their attributes as the original's reader expects them."""
    others = {domain: version for domain, version in graph.opsets.items() if domain}
    return Model(
        graph=_message(graph, quantize),
        metadata=Metadata(opset_version=graph.opsets.get("", OPSET)),
        extension=Extension(version=EXTENSION_VERSION, opsets=others, metadata=dict(graph.metadata)),
    )


def _message(graph: OperatorGraph, quantize: Quantize | None = None) -> Graph:
    return Graph(
        name=graph.name,
        parameters={name: parameter_tensor(name, array, quantize) for name, array in graph.parameters.items()},
        nodes=[_node_message(node) for node in graph.nodes],
        inputs=[_info(value) for value in graph.inputs],
        outputs=[_info(value) for value in graph.outputs],
    )


def _info(value: Value) -> ValueInfo:
    return value_info(value.name, value.dtype, value.shape, value_type(value.dtype, value.shape))


def _node_message(node: OperatorNode) -> Node:
    if node.domain == DOMAIN:
        raise ConfigError(f"the domain {DOMAIN!r} is that of layers", place=node.name)
    fields: dict[str, Any] = {}
    attributes: dict[str, Attribute] = {}
    for name, value in node.attributes.items():
        if (name, type(value)) in _FIELDS or (name == "perm" and isinstance(value, tuple) and value):
            fields[name] = value
        else:
            attributes[name] = operator_attribute_of(value, _message)
    return Node(
        name=node.name,
        op_type=node.op_type,
        inputs=node.inputs,
        outputs=node.outputs,
        attributes=attributes,
        domain=node.domain,
        **fields,
    )


_FIELDS = {("epsilon", float), ("axis", int)}
"""Attributes that stand in a field of the node itself, as does a `perm`."""
