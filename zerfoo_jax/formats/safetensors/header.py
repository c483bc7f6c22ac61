"""The header of a safetensors file: what it says, checked before anything is made of it.

A file is a length (8 bytes, little end first), a JSON object of that length, and the data. Each key of the object names a
tensor: `{"dtype": "F32", "shape": [2, 3], "data_offsets": [start, stop]}`, offsets counted from the data's first byte;
`__metadata__` maps texts to texts. The tensors cover the data without holes or overlaps.

This reader refuses all that the reference implementation refuses, and besides: a key that appears twice, a key beside those
three, names that are empty, not printable or hold `..`, sizes over the limits of `formats.limits`, booleans other than 0 and 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any, NamedTuple

import numpy as np

from zerfoo_jax.config.strict_json import strict_json
from zerfoo_jax.core.errors import FormatError, brief, nearest
from zerfoo_jax.formats.limits import MAX_HEADER, MAX_TENSORS, check_count, check_name, check_shape
from zerfoo_jax.formats.safetensors.stored_types import STORED_TYPES, StoredType
from zerfoo_jax.numeric.bits import packed_size

LENGTH = 8
"""Bytes of the length in front."""
METADATA = "__metadata__"
MAX_PARTS = 2**20
"""Of commas and opening brackets in a header: each costs memory while it is read."""

_KEYS = dict.fromkeys(("dtype", "shape", "data_offsets")).keys()


class Entry(NamedTuple):
    """A tensor as the header describes it; its data are those of the file from `start` to `stop`."""

    stored: StoredType
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Header:
    """All that a header says; `data` are the bytes behind it."""

    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]
    data: memoryview


def read_header(file: memoryview, place: str, *, filled_up: bool = False) -> Header:
    """The header of a whole file; raises `FormatError` for one that breaks any rule.

    With `filled_up`, tensors of less than a byte per element may end inside their last byte, which the specification forbids.
    """
    text, data = _split(file, place)
    found = parsed(bytes(text), f"{place}: header")
    metadata = _metadata(found.pop(METADATA, {}), f"{place}: {METADATA}")
    check_count(len(found), MAX_TENSORS, "tensors", place)
    entries = {}
    for name, given in found.items():
        check_name(name, f"{place}: header")
        entries[name] = _entry(given, f"{place}: tensor {name!r}", filled_up)
    _expect_covered(entries, len(data), place)
    _expect_truths(entries, data, place)
    return Header(entries, metadata, data)


def _split(file: memoryview, place: str) -> tuple[memoryview, memoryview]:
    if len(file) < LENGTH:
        raise FormatError(f"a file of {len(file)} bytes has no header", place=place, fix="write it again")
    size = int.from_bytes(file[:LENGTH], "little")
    check_count(size, MAX_HEADER, "bytes of header", place)
    if size > len(file) - LENGTH:
        raise FormatError(f"a header of {size:,} bytes in a file of {len(file):,}", place=place, fix="the file is cut short")
    return file[LENGTH : LENGTH + size], file[LENGTH + size :]


def parsed(raw: bytes, place: str) -> dict[str, Any]:
    """The mapping that JSON text holds; raises `FormatError` for what is no plain JSON, or would take much memory to read."""
    if not raw.startswith(b"{"):
        raise FormatError("the text does not begin with '{'", place=place, fix="this may be a file of another format")
    check_count(sum(map(raw.count, (b",", b"[", b"{"))), MAX_PARTS, "commas and brackets", place)
    try:
        return strict_json(raw.decode(), integer=_integer)
    except RecursionError:
        raise FormatError("the text is nested too deep", place=place) from None
    except ValueError as error:
        raise FormatError(f"the text is no plain JSON: {_short(error)}", place=place) from error


def _short(error: ValueError) -> str:
    return str(error).encode("unicode_escape").decode()[:200]


def _integer(digits: str) -> int:
    if digits.startswith("-") or len(digits) > 20:
        raise ValueError(f"{digits[:40]} is no size")
    return int(digits)


def _metadata(given: object, place: str) -> dict[str, str]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise FormatError("metadata maps texts to texts", place=place)
    try:
        "".join((*given, *given.values())).encode()
    except UnicodeEncodeError:
        raise FormatError("half of a surrogate pair is no text", place=place) from None
    return given


def _entry(given: object, place: str, filled_up: bool) -> Entry:
    if not isinstance(given, dict) or given.keys() != _KEYS:
        raise FormatError(f"a tensor has {', '.join(_KEYS)} and nothing else", place=place)
    name = given["dtype"]
    if not isinstance(name, str) or name not in STORED_TYPES:
        raise FormatError(f"unknown dtype {_shown(name)}", place=place, fix=nearest(_shown(name), STORED_TYPES))
    stored, shape = STORED_TYPES[name], check_shape(_integers(given["shape"], "a shape", place), place)
    offsets = _integers(given["data_offsets"], "data_offsets", place)
    if len(offsets) != 2:
        raise FormatError(f"data_offsets are a start and a stop, got {brief(offsets)}", place=place)
    count, (start, stop) = math.prod(shape), offsets
    if count * stored.bits % 8 and not filled_up:
        raise FormatError(f"{name}{list(shape)} takes {count * stored.bits} bits, which are no whole bytes", place=place)
    size = packed_size(count, stored.bits)
    if stop - start != size:
        raise FormatError(f"{name}{list(shape)} takes {size:,} bytes, data_offsets are {brief(offsets)}", place=place)
    return Entry(stored, shape, start, stop)


def _integers(given: object, what: str, place: str) -> list[int]:
    if not isinstance(given, list) or not all(type(one) is int for one in given):
        raise FormatError(f"{what} is a list of integers", place=place)
    return given


def _shown(value: object) -> str:
    # What is nested too deep cannot even be shown.
    return f"of type {type(value).__name__}" if isinstance(value, dict | list) else brief(value)


def _expect_covered(entries: Mapping[str, Entry], size: int, place: str) -> None:
    """Raises unless the tensors lie one behind the other and fill the data."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != end:
            cause = f"it begins at byte {entry.start:,} of the data, where those before it end at {end:,}"
            raise FormatError(cause, place=f"{place}: tensor {name!r}", fix="the data may have neither holes nor overlaps")
        end = entry.stop
    if end != size:
        raise FormatError(
            f"the tensors take {end:,} bytes, the data have {size:,}", place=place, fix="the file is cut or padded"
        )


def _expect_truths(entries: Mapping[str, Entry], data: memoryview, place: str) -> None:
    for name, entry in entries.items():
        if entry.stored.name == "BOOL" and np.frombuffer(data[entry.start : entry.stop], np.uint8).max(initial=0) > 1:
            raise FormatError("a boolean is neither 0 nor 1", place=f"{place}: tensor {name!r}")
