"""ONNX models as operators: the file's graph, its sub-graphs and its functions, which are put where they are called."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.limits import MAX_DEPTH, MAX_NODES, MAX_RANK, MAX_TENSORS, check_count, check_name
from zerfoo_jax.formats.onnx.attributes import attributes_of
from zerfoo_jax.formats.onnx.external import Folder
from zerfoo_jax.formats.onnx.tensors import array_of, dense_of
from zerfoo_jax.formats.onnx.wire import check_amount, without_weights
from zerfoo_jax.formats.operators.data_types import DATA_TYPES
from zerfoo_jax.formats.operators.graph import Attribute, Dim, OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.wiring import check_wiring

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorShapeProto, ValueInfoProto

MAX_OPSET = 28
"""The newest version of ONNX's own operators that is known here."""

MAX_CALLS = 10_000
"""Calls of functions in a model."""

LARGEST = 2**31 - 1
"""Bytes of one protobuf message; larger models keep their weights in files beside it."""


Weights = Sequence[memoryview | None]


def parse(data: memoryview, place: str) -> "tuple[ModelProto, Weights]":
    """The message in a file's bytes without its large weights, and those, for each tensor of its graph.

    Raises `FormatError` for what is no model, or holds more than one may hold.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    if len(data) > LARGEST:
        raise FormatError(f"the file has {len(data):,} bytes, over the limit of {LARGEST:,}", place=place)
    check_amount(data, place)
    rest, weights = without_weights(data, place)
    model = ModelProto()
    try:
        model.ParseFromString(rest)
    except DecodeError as error:
        raise FormatError(f"this is no ONNX model: {error}", place=place) from error
    return model, weights


def graph_of(model: "ModelProto", place: str, folder: Path | None = None, weights: Weights = ()) -> OperatorGraph:
    """The operators of a model, with its functions put where they are called.

    `folder` is where tensors in files of their own are looked for; `weights` are what `parse` has cut out.
    Raises `FormatError` for everything that is wrong with a model: its names, types, sizes and wiring.
    """
    opsets = _opsets(model.opset_import, place)
    reader = _Reader(None if folder is None else Folder(folder), _functions(model, place), opsets)
    graph = reader.graph(model.graph, place, _Scope(), weights)
    graph = replace(graph, opsets=opsets, metadata=_metadata(model, place))
    check_wiring(graph, place)
    return graph


def _metadata(model: "ModelProto", place: str) -> dict[str, str]:
    found = {"producer": model.producer_name, "producer_version": model.producer_version}
    found |= {entry.key: entry.value for entry in model.metadata_props}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):  # protobuf gives bytes for what is no text
            raise FormatError(f"{brief(name)}: {brief(value)} in the metadata is no text in UTF-8", place=place)
    return found


def _opsets(imports: Iterable[Any], place: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in imports:
        domain = _domain(entry.domain, place)
        if domain in found:
            raise FormatError(f"the domain {brief(domain)} is imported twice", place=place)
        if not 1 <= entry.version <= (MAX_OPSET if domain == "" else LARGEST):
            raise FormatError(f"version {entry.version} of the domain {brief(domain)} is not known", place=place)
        found[domain] = entry.version
    if not found:
        raise FormatError("the model does not say which version of the operators it uses", place=place)
    return found


def _domain(name: str, place: str) -> str:
    return "" if name in ("", "ai.onnx") else check_name(name, place)


_Key = tuple[str, str, str]


def _functions(model: "ModelProto", place: str) -> "dict[_Key, FunctionProto]":
    found: dict[_Key, FunctionProto] = {}
    for function in model.functions:
        key = (_domain(function.domain, place), check_name(function.name, place), function.overload)
        if key in found:
            raise FormatError(f"the function {brief(function.name)} is there twice", place=place)
        found[key] = function
    return found


@dataclass(frozen=True, eq=False)
class _Scope:
    """Where a node stands: within which calls of functions, under which names, at which depth."""

    depth: int = 0
    calls: tuple[_Key, ...] = ()
    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def name(self, name: str) -> str:
        """The name of a value as the whole graph knows it."""
        return name and self.names.get(name, self.prefix + name)


@dataclass(frozen=True, eq=False)
class _Reader:
    folder: Folder | None
    functions: "Mapping[_Key, FunctionProto]"
    opsets: Mapping[str, int]
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, more: int, limit: int, place: str) -> None:
        """Counts up, over the whole model."""
        self.counts[what] = self.counts.get(what, 0) + more
        check_count(self.counts[what], limit, what, place)

    def graph(self, graph: "GraphProto", place: str, scope: _Scope, weights: Weights = ()) -> OperatorGraph:
        """A graph or sub-graph."""
        if scope.depth > MAX_DEPTH:
            raise FormatError(f"graphs within graphs, deeper than {MAX_DEPTH}", place=place)
        self.count("tensors", len(graph.initializer) + len(graph.sparse_initializer), MAX_TENSORS, place)
        parameters: dict[str, np.ndarray] = {}

        def add(given: str, read: Callable[[str], np.ndarray]) -> None:
            name = scope.name(check_name(given, place))
            if name in parameters:
                raise FormatError(f"the tensor {name!r} is there twice", place=place)
            parameters[name] = read(f"{place}, tensor {name}")

        for tensor, cut in zip_longest(graph.initializer, weights):
            add(tensor.name, partial(array_of, tensor, folder=self.folder, weights=cut))
        for sparse in graph.sparse_initializer:
            add(sparse.values.name, partial(dense_of, sparse))
        inputs = [_value(one, place, scope) for one in graph.input]
        return OperatorGraph(
            nodes=tuple(self.nodes(graph.node, place, scope)),
            # Before version 4 of the format all tensors stand among the inputs too.
            inputs=tuple(one for one in inputs if one.name not in parameters),
            outputs=tuple(_value(one, place, scope) for one in graph.output),
            parameters=parameters,
            name=check_name(graph.name, place) if graph.name else "",
        )

    def nodes(self, nodes: "Iterable[NodeProto]", place: str, scope: _Scope) -> Iterator[OperatorNode]:
        """The operators of nodes, those of functions included."""
        for i, node in enumerate(nodes):
            self.count("nodes", 1, MAX_NODES, place)
            at = f"{place}, node {check_name(node.name, place) if node.name else i}"
            read = self.node(node, at, scope)
            key = (read.domain, node.op_type, node.overload)
            if key in self.functions:
                yield from self.body(key, read, at, scope)
            else:
                yield read

    def node(self, node: "NodeProto", place: str, scope: _Scope) -> OperatorNode:
        """One node as it stands."""
        inner = replace(scope, depth=scope.depth + 1)
        references = {one.name: one.ref_attr_name for one in node.attribute if one.ref_attr_name}
        attributes = attributes_of(node.attribute, place, self.folder, lambda graph, at: self.graph(graph, at, inner))
        for name, reference in references.items():
            if reference in scope.attributes:
                attributes[name] = scope.attributes[reference]
        for name in (*node.input, *node.output):
            check_name(name or "left out", place)
        return OperatorNode(
            op_type=check_name(node.op_type, place),
            inputs=tuple(map(scope.name, node.input)),
            outputs=tuple(map(scope.name, node.output)),
            attributes=attributes,
            name=scope.prefix + node.name if node.name else "",
            domain=_domain(node.domain, place),
        )

    def body(self, key: _Key, call: OperatorNode, place: str, scope: _Scope) -> Iterator[OperatorNode]:
        """The operators of a function in the place of its call."""
        function = self.functions[key]
        self.count("calls", 1, MAX_CALLS, place)
        if key in scope.calls or len(scope.calls) >= MAX_DEPTH:
            raise FormatError(f"the function {function.name!r} calls itself, or calls are nested too deep", place=place)
        for domain, version in _opsets(function.opset_import, place).items():
            if self.opsets.get(domain, version) != version:
                raise FormatError(
                    f"the function {function.name!r} uses another version of {domain!r} than the model", place=place
                )
        if len(call.inputs) > len(function.input) or len(call.outputs) > len(function.output):
            raise FormatError(f"the function {function.name!r} has fewer inputs or outputs than its call", place=place)
        given = (*call.inputs, *[""] * (len(function.input) - len(call.inputs)))
        results = dict(zip(function.output, call.outputs, strict=False))
        arguments = dict(zip(function.input, given, strict=True))
        defaults = attributes_of(function.attribute_proto, place, self.folder, _no_graph)
        inner = _Scope(
            depth=scope.depth + 1,
            calls=(*scope.calls, key),
            prefix=f"{function.name}.{self.counts['calls']}/",
            names={name: value for name, value in results.items() if value} | arguments,
            attributes={**defaults, **call.attributes},
        )
        yield from self.nodes(function.node, f"{place}, function {function.name}", inner)
        for name in results.keys() & arguments.keys():  # what only passes through
            if results[name]:
                yield OperatorNode("Identity", (arguments[name],), (results[name],))


def _no_graph(graph: Any, place: str) -> OperatorGraph:
    raise FormatError("a function's attribute has a graph by default", place=place)


def _value(value: "ValueInfoProto", place: str, scope: _Scope) -> Value:
    name = scope.name(check_name(value.name, place))
    if value.type.WhichOneof("value") != "tensor_type":
        return Value(name)
    kind = value.type.tensor_type
    dtype = DATA_TYPES.get(kind.elem_type)
    if dtype is None and kind.elem_type:
        raise FormatError(f"there is no data type {kind.elem_type}", place=f"{place}, value {name}")
    return Value(name, dtype, _shape(kind.shape, f"{place}, value {name}") if kind.HasField("shape") else None)


def _shape(shape: "TensorShapeProto", place: str) -> tuple[Dim, ...]:
    check_count(len(shape.dim), MAX_RANK, "dimensions", place)
    return tuple(_dim(one, place) for one in shape.dim)


def _dim(dim: Any, place: str) -> Dim:
    if dim.WhichOneof("value") == "dim_param":
        return check_name(dim.dim_param, place) if dim.dim_param else None
    if not dim.HasField("dim_value"):
        return None
    if dim.dim_value < -1:
        raise FormatError(f"a size of {dim.dim_value}", place=place)
    return None if dim.dim_value == -1 else dim.dim_value
