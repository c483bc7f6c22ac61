"""Messages to bytes, without a copy of their data: a message becomes a row of pieces, which are written one after another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
import io
import struct
from typing import Any, BinaryIO

import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.formats.files import ALIGNMENT
from zerfoo_jax.formats.zmf.message import Field, Message, fields_of
from zerfoo_jax.formats.zmf.schema import Buffer
from zerfoo_jax.formats.zmf.wire import FIXED32, FIXED64, LENGTH, VARINT, tag, varint

MIN_ALIGNED = 4096
"""Bytes of data that are worth aligning."""

MAX_MESSAGE = 2**31 - 1
"""Bytes of a message that every protobuf reader takes."""


@dataclass(frozen=True)
class Aligned:
    """Data between zeros, which are divided when it is known where in the file they come to stand."""

    number: int
    padding: int
    data: Buffer

    @property
    def size(self) -> int:
        """Bytes in the file: always as many, so that the lengths around do not depend on the place."""
        return len(self._head()) + size_of(self.data) + len(self._zeros(0)[0])

    def pieces(self, at: int) -> Iterator[Buffer]:
        """The field with its zeros, where that begins at a position of the file."""
        head = self._head()
        _, start = self._zeros(0)
        before = -(at + start + len(head)) % ALIGNMENT
        whole, middle = self._zeros(before)
        yield whole[:middle] + head
        yield self.data
        yield whole[middle:]

    def _head(self) -> bytes:
        return tag(self.number, LENGTH) + varint(size_of(self.data))

    def _zeros(self, before: int) -> tuple[bytes, int]:
        """The two fields of zeros, and where the first one ends."""
        start, after = tag(self.padding, LENGTH), ALIGNMENT - 1 - before
        first = start + varint(before) + bytes(before)
        return first + start + varint(after) + bytes(after), len(first)


Piece = Buffer | Aligned


def size_of(data: Buffer) -> int:
    """The bytes of data."""
    return len(data) if isinstance(data, bytes) else data.nbytes


def encode(message: Message) -> tuple[list[Piece], int]:
    """The pieces of a message and their bytes together; raises `ConfigError` for what the wire has no place for."""
    pieces: list[Piece] = []
    for field in fields_of(type(message)).values():
        pieces += _encoded(field, getattr(message, field.name))
    pieces += message.unknown
    return pieces, sum(one.size if isinstance(one, Aligned) else size_of(one) for one in pieces)


def _encoded(field: Field, value: Any) -> Iterable[Piece]:
    """A field of a message; nothing where it is at its default."""
    if field.label == "map":
        return [piece for name, item in value.items() for piece in _within(field, _entry(field, name, item))]
    if field.label == "many" and field.kind in _NUMBERS:
        packed = b"".join(_NUMBERS[field.kind](item) for item in value)
        return [tag(field.number, LENGTH) + varint(len(packed)) + packed] if packed else []
    if field.label == "many":
        return [piece for item in value for piece in _single(field, item)]
    written = value is not None if field.label == "optional" or field.message is not None else _counts(value)
    return _single(field, value) if written else []


def _counts(value: Any) -> bool:
    return size_of(value) > 0 if isinstance(value, bytes | memoryview | np.ndarray) else bool(value)


def _entry(field: Field, name: str, item: Any) -> list[Piece]:
    """An entry of a map; the value stands there even where it is a default."""
    inner = replace(field, number=2, label="one")
    return [*_single(Field(1, "string", "one"), name), *_single(inner, item)]


def _single(field: Field, value: Any) -> list[Piece]:
    if field.message:
        return _within(field, encode(value)[0])
    if field.kind == "bytes" and field.padding and size_of(value) >= MIN_ALIGNED:
        return [Aligned(field.number, field.padding, value)]
    if field.kind == "bytes":
        return [tag(field.number, LENGTH) + varint(size_of(value)), value]
    if field.kind == "string":
        data = _text(value)
        return [tag(field.number, LENGTH) + varint(len(data)) + data]
    return [tag(field.number, _WIRE[field.kind]) + _NUMBERS[field.kind](value)]


def _within(field: Field, pieces: list[Piece]) -> list[Piece]:
    """The pieces of a message as a field of the message around it."""
    size = sum(one.size if isinstance(one, Aligned) else size_of(one) for one in pieces)
    return [tag(field.number, LENGTH) + varint(size), *pieces]


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{value!r} is no Unicode text and cannot be written") from None


def _int64(value: int) -> bytes:
    if not -(2**63) <= value < 2**63:
        raise ConfigError(f"{value} is beyond 64 bits and cannot be written")
    return varint(value)


_WIRE: dict[Any, int] = {"int64": VARINT, "enum": VARINT, "bool": VARINT, "float": FIXED32, "double": FIXED64}

_NUMBERS: dict[Any, Any] = {
    "int64": _int64,
    "enum": _int64,
    "bool": _int64,
    "float": lambda value: np.float32(value).tobytes(),
    "double": lambda value: struct.pack("<d", value),
}


def write_pieces(pieces: list[Piece], file: BinaryIO) -> None:
    """Writes the pieces to a file from its beginning on."""
    at, small = 0, bytearray()
    for one in pieces:
        for part in one.pieces(at) if isinstance(one, Aligned) else (one,):
            at += size_of(part)
            if size_of(part) < MIN_ALIGNED:
                small += bytes_of(part)
            else:
                file.write(small)
                small = bytearray()
                file.write(bytes_of(part))
    file.write(small)


def to_bytes(message: Message) -> bytes:
    """A message as a file of its own would hold it."""
    file = io.BytesIO()
    write_pieces(encode(message)[0], file)
    return file.getvalue()


def bytes_of(data: Buffer) -> bytes | memoryview:
    """The data as bytes in a row; an array is copied only where its elements are not in their order."""
    if not isinstance(data, np.ndarray):
        return data
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8).data if data.size else b""
