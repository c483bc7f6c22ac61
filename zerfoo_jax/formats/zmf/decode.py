"""Messages from bytes. Data stay where they are: `bytes` fields are views of the file."""

from collections.abc import Callable
import struct
from typing import Any, TypeVar

import numpy as np

from zerfoo_jax.core.errors import FormatError, Problem
from zerfoo_jax.formats.zmf import wire
from zerfoo_jax.formats.zmf.message import Field, Message, fields_of, paddings_of
from zerfoo_jax.formats.zmf.wire import FIXED32, FIXED64, LENGTH, VARINT, Budget, Value

MAX_DEPTH = 100
"""Of messages within messages, as in other readers of protobuf."""

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")


def decode(cls: type[_M], data: memoryview, budget: Budget, depth: int = 0) -> _M:
    """The message in these bytes.

    Raises `FormatError`, with the place within the message, for bytes that are no such message: also for what other readers
    put up with, such as fields that are given twice.
    """
    if depth > MAX_DEPTH:
        raise FormatError(f"messages are nested over {MAX_DEPTH} deep")
    budget.spend("messages", 1)
    known, paddings = fields_of(cls), paddings_of(cls)
    found: dict[str, Any] = {}
    unknown: list[memoryview] = []
    for number, kind, value, raw in wire.fields(data, budget):
        field = known.get(number)
        if field is not None:
            _take(field, kind, value, found, budget, depth)
        elif number not in paddings:
            unknown.append(raw)
    return cls(**found, unknown=unknown) if unknown else cls(**found)


def _take(field: Field, kind: int, value: Value, found: dict[str, Any], budget: Budget, depth: int) -> None:
    """Adds one field of a message to what has been found."""
    name, label = field.name, field.label
    try:
        if label == "many":
            packed = _packed(field, kind, value, budget)
            values = found.setdefault(name, [])
            values += [_value(field, kind, value, budget, depth)] if packed is None else packed
        elif label == "map":
            key, item = _entry(field, kind, value, budget, depth)
            if key in found.setdefault(name, {}):
                raise under(FormatError("the name stands there twice"), key)
            found[name][key] = item
        elif name in found:
            raise FormatError("the field is given twice")
        else:
            found[name] = _value(field, kind, value, budget, depth)
    except FormatError as error:
        index = f"/{len(found.get(name, ()))}" if label == "many" else ""
        raise under(error, name + index) from None


def under(error: FormatError, place: str) -> FormatError:
    """The error seen from one level further out."""
    return FormatError([problem.under(place) for problem in error.problems])


def named(function: Callable[..., _T], name: str, *arguments: Any) -> _T:
    """What the function gives, with the name in front of the places of its errors."""
    try:
        return function(*arguments)
    except FormatError as error:
        raise under(error, name) from None


def _packed(field: Field, kind: int, value: Value, budget: Budget) -> list[Any] | None:
    """The numbers of a packed list; None where this is a single value."""
    if kind != LENGTH or _WIRE[field.kind] == LENGTH:
        return None
    assert isinstance(value, memoryview)
    wide = {FIXED32: 4, FIXED64: 8}.get(_WIRE[field.kind])
    if wide is None:
        # No varint is shorter than a byte.
        budget.spend("numbers", len(value))
        return wire.unpack_varints(value).tolist()
    if len(value) % wide:
        raise FormatError(f"a list of {len(value)} bytes, where a number has {wide}")
    budget.spend("numbers", len(value) // wide)
    return np.frombuffer(value, f"<f{wide}").tolist()


def _entry(field: Field, kind: int, value: Value, budget: Budget, depth: int) -> tuple[str, Any]:
    """Name and value of an entry of a map."""
    if kind != LENGTH:
        raise FormatError(f"the field has wire type {kind}, not {LENGTH}")
    assert isinstance(value, memoryview)
    parts: dict[int, tuple[int, Value]] = {}
    for number, inner, part, _ in wire.fields(value, budget):
        if number not in (1, 2) or number in parts:
            raise FormatError(f"an entry with a field {number} too many")
        parts[number] = inner, part
    key = _value(_KEY, *parts.get(1, (LENGTH, memoryview(b""))), budget, depth)
    absent = memoryview(b"") if field.message or field.kind == "string" else 0
    item = parts.get(2, (LENGTH if isinstance(absent, memoryview) else VARINT, absent))
    return key, named(_value, key, field, *item, budget, depth)


_KEY = Field(1, "string", "one")


def _value(field: Field, kind: int, value: Value, budget: Budget, depth: int) -> Any:
    """What a field holds, once its wire type is known to be right."""
    if kind != _WIRE[field.kind]:
        raise FormatError(f"the field has wire type {kind}, not {_WIRE[field.kind]}")
    if field.message is not None:
        assert isinstance(value, memoryview)
        return decode(field.message, value, budget, depth + 1)
    if field.kind == "string":
        budget.spend("text", len(value) if isinstance(value, memoryview) else 0)
    return _READ[field.kind](value)


_WIRE: dict[Any, int] = {
    **{"int64": VARINT, "enum": VARINT, "bool": VARINT},
    **{"float": FIXED32, "double": FIXED64, "string": LENGTH, "bytes": LENGTH, "message": LENGTH},
}


def _text(value: memoryview) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise FormatError("a text that is not UTF-8") from None


def _truth(value: int) -> bool:
    if value > 1:
        raise FormatError(f"a truth value of {value}")
    return bool(value)


_READ: dict[Any, Callable[[Any], Any]] = {
    "int64": wire.signed,
    "enum": wire.signed,
    "bool": _truth,
    "float": lambda value: struct.unpack("<f", value)[0],
    "double": lambda value: struct.unpack("<d", value)[0],
    "string": _text,
    "bytes": lambda value: value,
}


def at_file(error: FormatError, path: object) -> FormatError:
    """The error with the file in front of its places."""
    return FormatError(
        [Problem(one.cause, f"{path}: {one.place}" if one.place else str(path), one.fix) for one in error.problems]
    )
