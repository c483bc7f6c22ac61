"""The protobuf wire format (https://protobuf.dev/programming-guides/encoding/), read strictly from mapped bytes.

A message is a row of fields. A field is a tag, which says its number and wire type, and a value: a varint (7 bits in a
byte, the lowest first, the high bit set on all but the last), 4 or 8 bytes, or a length and that many bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.limits import MAX_HEADER

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}

MAX_FIELDS = 400_000
"""In a whole file, weights aside: as many as can be read in a second or two."""
MAX_MESSAGES = 150_000
"""Likewise: nodes, tensors, attributes and their parts."""
MAX_NUMBERS = 2**22
"""In all lists of numbers of a file."""

Value = int | memoryview
"""What a field holds: the varint, or its bytes."""


@dataclass
class Budget:
    """How much a file may still hold, weights aside."""

    fields: int = MAX_FIELDS
    messages: int = MAX_MESSAGES
    numbers: int = MAX_NUMBERS
    text: int = MAX_HEADER

    def spend(self, what: str, count: int) -> None:
        """Takes so many off; raises `FormatError` where there is no more."""
        left = getattr(self, what) - count
        if left < 0:
            raise FormatError(f"the file holds too much: over {getattr(Budget, what):,} {_UNITS[what]}")
        setattr(self, what, left)


_UNITS = {"fields": "fields", "messages": "messages", "numbers": "numbers in lists", "text": "bytes of texts"}


def read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """The unsigned varint that begins at a position, and the position behind it."""
    value = shift = 0
    if at < len(data) and data[at] < 0x80:  # most are this short
        return data[at], at + 1
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise FormatError("a number of over 64 bits")
            return value, position + 1
        shift += 7
    raise FormatError("a number of over 10 bytes" if len(data) - at >= 10 else "the message ends within a number")


def fields(data: memoryview, budget: Budget) -> Iterator[tuple[int, int, Value, memoryview]]:
    """Number, wire type, value and all bytes of each field of a message."""
    at, end = 0, len(data)
    while at < end:
        budget.fields -= 1
        if budget.fields < 0:
            budget.spend("fields", 1)
        start = at
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if not 1 <= number < 2**29:
            raise FormatError(f"there is no field {number}")
        if wire == VARINT:
            value, at = read_varint(data, at)
        elif wire in (LENGTH, *_SIZES):
            size, at = read_varint(data, at) if wire == LENGTH else (_SIZES[wire], at)
            if size > end - at:
                raise FormatError(f"field {number} claims {size:,} bytes where {end - at:,} are left")
            value, at = data[at : at + size], at + size
        else:
            raise FormatError(f"field {number} has wire type {wire}, which messages of today do not have")
        yield number, wire, value, data[start:at]


def signed(value: int) -> int:
    """The int64 of a varint's 64 bits.

    >>> signed(2**64 - 1)
    -1
    """
    return value - 2**64 if value >> 63 else value


def unpack_varints(data: memoryview) -> np.ndarray:
    """The int64s of varints that follow each other."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes < 0x80)
    if not codes.size:
        return np.zeros(0, np.int64)
    if not ends.size or ends[-1] != codes.size - 1:
        raise FormatError("a list of numbers ends within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 10 or (codes[ends[lengths == 10]] > 1).any():
        raise FormatError("a number of over 64 bits")
    values = np.zeros(ends.size, np.uint64)
    for i in range(int(lengths.max())):
        longer = lengths > i
        values[longer] |= (codes[starts[longer] + i] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * i)
    return values.view(np.int64)


def varint(value: int) -> bytes:
    """A number as a varint; negative ones as their 64 bits.

    >>> varint(300).hex(), len(varint(-1))
    ('ac02', 10)
    """
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def tag(number: int, wire: int) -> bytes:
    """What a field begins with."""
    return varint(number << 3 | wire)
