"""An ONNX file's bytes before protobuf parses them: how much they hold, and where its weights are.

A parsed message takes far more memory than its bytes, so everything is counted first. Weights are cut out of what is parsed and
stay where they are in the file.
"""

from collections.abc import Iterator

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.limits import MAX_DEPTH, check_count

MAX_FIELDS = 400_000
"""Fields of all messages in a file."""

CUT_FROM = 256
"""Bytes of a weight from which it stays in the file."""

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
"""The numbers of `ModelProto.graph`, `GraphProto.initializer` and `TensorProto.raw_data`."""

INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "entry", 14: "entry", 20: "training", 25: "function", 26: "configuration"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "quantization", 15: "sparse", 16: "entry"},
    "function": {7: "node", 9: "entry", 11: "attribute", 12: "value", 14: "entry"},
    "node": {5: "attribute", 9: "entry", 10: "configuration"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type", 22: "sparse", 23: "sparse"},
    "tensor": {13: "entry", 16: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "value": {2: "type", 4: "entry"},
    "type": {1: "array", 4: "sequence", 5: "map", 8: "array", 9: "sequence"},
    "array": {2: "shape"},
    "sequence": {1: "type"},
    "map": {2: "type"},
    "shape": {1: "entry"},
    "quantization": {2: "entry"},
    "training": {1: "graph", 2: "graph", 3: "entry", 4: "entry"},
    "configuration": {2: "configuration", 3: "configuration", 4: "configuration"},
    "entry": {},
}
"""Which fields of a message are messages, by their numbers in onnx.proto."""


Field = tuple[int, bool, int, int, int]
"""A field of a message: its number, whether it is bytes of a length, where it, its payload and its end are in the bytes."""


def fields(data: memoryview, start: int, end: int, place: str) -> Iterator[Field]:
    """The fields of the message in these bytes; `FormatError` where they are no message."""
    at = start
    while at < end:
        key, payload = (data[at], at + 1) if data[at] < 128 else _varint(data, at, end, place)
        kind = key & 7
        if kind == 2:
            size, payload = _varint(data, payload, end, place)
            stop = payload + size
        elif kind == 0:
            _, stop = _varint(data, payload, end, place)
        elif kind in (1, 5):
            stop = payload + (8 if kind == 1 else 4)
        else:
            raise FormatError(f"this is no ONNX model: byte {at:,} begins no field", place=place)
        if stop > end or key < 8:
            raise FormatError(f"this is no ONNX model: the field at byte {at:,} does not end", place=place)
        yield key >> 3, kind == 2, at, payload, stop
        at = stop


def _varint(data: memoryview, at: int, end: int, place: str) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise FormatError(f"this is no ONNX model: the number before byte {at:,} does not end", place=place)


def check_amount(data: memoryview, place: str) -> None:
    """Raises `FormatError` for more fields than a model may have, and for graphs nested too deep."""
    waiting, count = [("model", 0, len(data), 0)], 0
    while waiting:
        kind, start, end, depth = waiting.pop()
        if depth > 3 * MAX_DEPTH:
            raise FormatError(f"graphs within graphs, deeper than {MAX_DEPTH}", place=place)
        inside = INSIDE[kind]
        for number, delimited, _, payload, stop in fields(data, start, end, place):
            count += 1
            if count > MAX_FIELDS:
                check_count(count, MAX_FIELDS, "fields", place)
            if delimited and number in inside:
                waiting.append((inside[number], payload, stop, depth + 1))


def without_weights(data: memoryview, place: str) -> tuple[bytes, list[memoryview | None]]:
    """The model's bytes without those of its large weights, and the weights: one entry for each tensor of the graph."""
    parts: list[bytes | memoryview] = []
    weights: list[memoryview | None] = []
    graphs = 0
    for number, delimited, start, payload, end in fields(data, 0, len(data), place):
        if number == GRAPH and delimited:
            graphs += 1
            parts += _delimited(GRAPH, b"".join(_graph(data, payload, end, place, weights)))
        else:
            parts.append(data[start:end])
    if graphs != 1:
        raise FormatError(f"a model has one graph, this file has {graphs}", place=place)
    return b"".join(parts), weights


def _graph(
    data: memoryview, start: int, end: int, place: str, weights: list[memoryview | None]
) -> Iterator[bytes | memoryview]:
    for number, delimited, at, payload, stop in fields(data, start, end, place):
        if number != INITIALIZER or not delimited:
            yield data[at:stop]
            continue
        parts = list(fields(data, payload, stop, place))
        large = [one for one in parts if one[:2] == (RAW_DATA, True) and one[4] - one[3] >= CUT_FROM]
        if len(large) != 1:
            weights.append(None)
            yield data[at:stop]
            continue
        weights.append(data[large[0][3] : large[0][4]])
        yield from _delimited(INITIALIZER, b"".join(data[one[2] : one[4]] for one in parts if one is not large[0]))


def _delimited(number: int, payload: bytes) -> tuple[bytes, bytes]:
    """A field that holds these bytes."""
    head, size = bytearray([number << 3 | 2]), len(payload)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    return bytes([*head, size]), payload
