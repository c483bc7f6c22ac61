"""Operators as ONNX messages, and ONNX files written whole, with their weights in the file or beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain
from pathlib import Path
import re
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import zerfoo_jax
from zerfoo_jax.core.errors import ConfigError, FormatError, ZerfooError
from zerfoo_jax.formats.companions import DIGEST, replacing
from zerfoo_jax.formats.files import PORTION, map_file, padding, write_whole
from zerfoo_jax.formats.onnx.attributes import FIELDS
from zerfoo_jax.formats.onnx.reading import parse
from zerfoo_jax.formats.onnx.tensors import bits_of, packed_size
from zerfoo_jax.formats.operators.data_types import NUMBERS
from zerfoo_jax.formats.operators.graph import Attribute, Dim, OperatorGraph, OperatorNode, Value
from zerfoo_jax.graph import Graph
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.numeric.bits import pack

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

EXTERNAL_FROM = 2**30
"""Bytes of weights from which they go to a file of their own: a protobuf message holds less than 2 GiB."""

SMALL = 1024
"""Bytes up to which a weight stays in the model's file, so that shapes can be read there."""

_NUMBER_OF = {field: number for number, field in FIELDS.items()}

PRODUCER = "zerfoo_jax"


def write_graph(graph: OperatorGraph, path: Path, *, external_data: bool | None = None) -> None:
    """Writes a graph to an ONNX file; with `external_data` its weights to one beside it, by default large ones.

    The name of that begins with the model's and has a part of its digest; see `companions`.

    Raises `FormatError` where ONNX's own checker, with its inference of shapes, finds something wrong; nothing is written then.
    """
    check_message(message_of(_with_weights_as_inputs(graph)), str(path))
    total = sum(array.nbytes for array in graph.parameters.values())
    outside = total >= EXTERNAL_FROM if external_data is None else external_data
    large = {name: array for name, array in graph.parameters.items() if outside and array.nbytes > SMALL}
    with replacing(path, ".onnx", rf"{re.escape(path.name)}\.({DIGEST}\.)?data", _named_in) as write_beside:
        beside = write_beside(f"{path.name}.", ".data", chain.from_iterable(map(_padded, large.values()))) if large else ""
        model = message_of(graph, beside, _offsets(large))
        with write_whole(path) as file:
            file.write(model.SerializeToString(deterministic=True))


def _named_in(path: Path) -> set[str]:
    """The files beside that hold weights of a model."""
    model, _ = parse(map_file(path), str(path))
    entries = chain.from_iterable(tensor.external_data for tensor in model.graph.initializer)
    return {str(entry.value) for entry in entries if entry.key == "location"}


def _offsets(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Where arrays begin that are written one after another, each from a multiple of 64 bytes on."""
    sizes = [packed_size(array.dtype, array.shape) for array in arrays.values()]
    return dict(zip(arrays, accumulate((size + padding(size) for size in sizes), initial=0), strict=False))


def _padded(array: np.ndarray) -> Iterator[bytes]:
    """The bytes of an array, some rows at a time, so that no copy is made of all of it."""
    if array.ndim == 0 or bits_of(array.dtype) < 8:  # rows of packed numbers may end within a byte
        yield bytes_of(array)
    else:
        rows = max(PORTION * len(array) // max(array.nbytes, 1), 1)
        yield from (bytes_of(array[start : start + rows]) for start in range(0, len(array), rows))
    yield bytes(padding(packed_size(array.dtype, array.shape)))


def _with_weights_as_inputs(graph: OperatorGraph) -> OperatorGraph:
    """The graph as far as it can be wrong: of weights, only dtype and shape."""
    large = {name: array for name, array in graph.parameters.items() if array.nbytes > SMALL}
    values = (Value(name, str(array.dtype), array.shape) for name, array in large.items())
    small = {name: array for name, array in graph.parameters.items() if name not in large}
    return replace(graph, inputs=(*graph.inputs, *values), parameters=small)


def with_types(graph: OperatorGraph, network: Network) -> OperatorGraph:
    """The graph with its outputs' dtypes and shapes, as the network that it was made of gives them.

    A size is known where inputs of two sizes give the same.
    """
    assert isinstance(network.model, Graph)
    specs = [[one.spec(any_size) for one in network.model.declared()] for any_size in (2, 3)]
    try:
        two, three = (jax.tree.leaves(jax.eval_shape(network, *given)) for given in specs)
    except ZerfooError:  # which does not run for inputs of these sizes
        two = jax.tree.leaves(jax.eval_shape(network, *network.specs))
        three = [jax.ShapeDtypeStruct([-1] * len(spec.shape), spec.dtype) for spec in two]
    outputs = [
        replace(value, dtype=one.dtype.name, shape=_common(one.shape, other.shape))
        for value, one, other in zip(graph.outputs, two, three, strict=True)
    ]
    return replace(graph, outputs=tuple(outputs))


def _common(one: Sequence[int], other: Sequence[int]) -> tuple[Dim, ...]:
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def check_message(model: "ModelProto", place: str) -> None:
    """Raises `FormatError` where ONNX's own checker, with its inference of shapes, finds a model wrong."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise FormatError(f"ONNX's checker refuses the model: {error}", place=place) from error


def message_of(graph: OperatorGraph, beside: str = "", offsets: Mapping[str, int] | None = None) -> "ModelProto":
    """The message of a model; weights with an offset are in the file `beside`.

    Raises `ConfigError` for versions of operators that the installed `onnx` does not know.
    """
    from onnx import ModelProto, helper

    opsets = [helper.make_opsetid(domain, number) for domain, number in graph.opsets.items()]
    try:
        ir_version = helper.find_min_ir_version_for(opsets, ignore_unknown=True)
    except ValueError as error:
        raise ConfigError(f"opset = {graph.opsets.get('')}: {error}", place="opset") from error
    model = ModelProto(ir_version=ir_version, producer_name=PRODUCER, producer_version=zerfoo_jax.__version__)
    model.opset_import.extend(opsets)
    for key, text in graph.metadata.items():
        if key not in ("producer", "producer_version"):
            model.metadata_props.add(key=key, value=text)
    _fill_graph(model.graph, graph, beside, offsets or {})
    return model


def _fill_graph(message: "GraphProto", graph: OperatorGraph, beside: str, offsets: Mapping[str, int]) -> None:
    message.name = graph.name or "graph"
    for value in graph.inputs:
        _fill_value(message.input.add(), value)
    for value in graph.outputs:
        _fill_value(message.output.add(), value)
    for name, array in graph.parameters.items():
        _fill_tensor(message.initializer.add(), name, array, beside, offsets.get(name))
    for node in graph.nodes:
        _fill_node(message.node.add(), node)


def _fill_value(message: "ValueInfoProto", value: Value) -> None:
    message.name = value.name
    if value.dtype is None:
        return
    kind = message.type.tensor_type
    kind.elem_type = NUMBERS[value.dtype]
    if value.shape is None:
        return
    kind.shape.SetInParent()
    for size in value.shape:
        dim = kind.shape.dim.add()
        if isinstance(size, str):
            dim.dim_param = size
        elif size is not None:
            dim.dim_value = size


def _fill_node(message: "NodeProto", node: OperatorNode) -> None:
    message.op_type, message.name, message.domain = node.op_type, node.name, node.domain
    message.input.extend(node.inputs)
    message.output.extend(node.outputs)
    for name, value in node.attributes.items():
        _fill_attribute(message.attribute.add(), name, value)


def _fill_attribute(message: "AttributeProto", name: str, value: Attribute) -> None:
    message.name = name
    field = _field(value)
    setattr(message, "type", _NUMBER_OF[field])  # noqa: B010 - which its type stubs know as an enumeration
    if field == "g":
        _fill_graph(message.g, _expect(value, OperatorGraph), "", {})
    elif field == "t":
        _fill_tensor(message.t, "", _expect(value, np.ndarray))
    elif field == "graphs":
        for item in _expect(value, tuple):
            _fill_graph(message.graphs.add(), item, "", {})
    elif field == "tensors":
        for item in _expect(value, tuple):
            _fill_tensor(message.tensors.add(), "", item)
    elif field in ("floats", "ints", "strings"):
        getattr(message, field).extend(_encoded(item) for item in _expect(value, tuple))
    else:
        setattr(message, field, _encoded(value))


def _expect(value: Any, kind: Any) -> Any:
    assert isinstance(value, kind)
    return value


def _encoded(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


_KINDS = ((bool, "i"), (int, "i"), (np.integer, "i"), (float, "f"), (str, "s"), (np.ndarray, "t"), (OperatorGraph, "g"))
_SEVERAL = {"i": "ints", "f": "floats", "s": "strings", "t": "tensors", "g": "graphs"}


def _field(value: Attribute) -> str:
    """The field in which a value stands; an empty tuple counts as integers."""
    if isinstance(value, tuple):
        fields = {_field(item) for item in value} or {"i"}
        return _SEVERAL["f" if fields == {"i", "f"} else fields.pop()]
    return next(field for kind, field in _KINDS if isinstance(value, kind))


def _fill_tensor(message: "TensorProto", name: str, array: np.ndarray, beside: str = "", offset: int | None = None) -> None:
    message.name = name
    message.data_type = NUMBERS[str(array.dtype)]
    message.dims.extend(array.shape)
    if array.dtype.hasobject:
        message.string_data.extend(_encoded(text) for text in array.ravel().tolist())
    elif offset is None:
        message.raw_data = bytes_of(array)
    else:
        message.data_location = message.EXTERNAL
        size = packed_size(array.dtype, array.shape)
        for key, text in (("location", beside), ("offset", str(offset)), ("length", str(size))):
            message.external_data.add(key=key, value=text)


def bytes_of(array: np.ndarray) -> bytes:
    """The bytes of an array as files have them: little-endian, types of less than a byte packed."""
    bits = bits_of(array.dtype)
    if bits >= 8:
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return pack(array, bits).tobytes()
