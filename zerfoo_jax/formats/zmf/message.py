"""Messages as dataclasses: what each field is on the wire stands beside it, and reading and writing follow from that.

    class Ints(Message):
        val: Sequence[int] = many(1, "int64")

Fields that a message has no name for are kept as they came, and written again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal

Scalar = Literal["int64", "enum", "bool", "float", "double", "string", "bytes"]
Kind = Scalar | Callable[[], type["Message"]]
"""A scalar, or what gives the class of a message: classes refer to each other in circles."""
Label = Literal["one", "optional", "many", "map"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field on the wire. `padding` is the number of a field that aligns this one's bytes in the file; `message` is the class
    of what it holds, where that is a message."""

    number: int
    kind: Scalar | Literal["message"]
    label: Label
    padding: int = 0
    name: str = ""
    message: "type[Message] | None" = None


@dataclass(kw_only=True, eq=False, slots=True)
class Message:
    """What a message holds. Fields at their defaults are not written, optional ones are where they are not None."""

    unknown: Sequence[memoryview] = ()


_DEFAULTS: dict[Any, Any] = {"int64": 0, "enum": 0, "bool": False, "float": 0.0, "double": 0.0, "string": "", "bytes": b""}


def one(number: int, kind: Kind, padding: int = 0) -> Any:
    """A single value; 0, the empty text or None where the file has none."""
    return field(default=_DEFAULTS.get(kind), metadata={"wire": (number, kind, "one", padding)})


def optional(number: int, kind: Kind) -> Any:
    """A single value or None, which differs from 0."""
    return field(default=None, metadata={"wire": (number, kind, "optional", 0)})


def many(number: int, kind: Kind) -> Any:
    """Any number of values, in their order."""
    return field(default=(), metadata={"wire": (number, kind, "many", 0)})


def mapped(number: int, kind: Kind) -> Any:
    """Values by name."""
    return field(default_factory=dict, metadata={"wire": (number, kind, "map", 0)})


@cache
def fields_of(cls: type[Message]) -> dict[int, Field]:
    """The fields of a message, by number."""
    return {one.metadata["wire"][0]: _field(one.name, *one.metadata["wire"]) for one in fields(cls) if "wire" in one.metadata}


def _field(name: str, number: int, kind: Kind, label: Label, padding: int) -> Field:
    message = kind() if callable(kind) else None
    return Field(number, "message" if callable(kind) else kind, label, padding, name, message)


@cache
def paddings_of(cls: type[Message]) -> frozenset[int]:
    """The numbers of fields that only move others."""
    return frozenset(one.padding for one in fields_of(cls).values() if one.padding)
