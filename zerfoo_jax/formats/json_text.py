"""JSON from untrusted files, with weights among its numbers: parsed within limits, read field by field with its places."""

import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import json
from typing import Any

import numpy as np

from zerfoo_jax.config.strict_json import bounded_integer, finite, strict_json
from zerfoo_jax.core.errors import FormatError, brief, nearest

MAX_TEXT = 512 * 2**20
"""Bytes of a JSON text that holds weights."""
MAX_CONTAINERS = 1_000_000
"""Lists and objects in one text: each takes some 60 bytes of memory for the 2 it may take in the file."""
MAX_NESTING = 100
MAX_SIZE = 2**31 - 1
"""Of one number that counts something, as LOOM and go-metal have them."""
LARGEST = float(np.finfo(np.float32).max)


def parse(data: bytes | memoryview, place: str) -> Any:
    """The value of a text; raises `FormatError` for anything but one plain JSON value within the limits.

    Refused are repeated keys, NaN and infinities, numbers too large for float64, integers of over 1,000 digits, deep nesting.
    """
    data = bytes(data)
    if len(data) > MAX_TEXT:
        raise FormatError(f"a text of {len(data):,} bytes, over the limit of {MAX_TEXT:,}", place=place)
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        raise FormatError(f"over {MAX_CONTAINERS:,} lists and objects", place=place)
    try:
        value = strict_json(data.decode(), integer=bounded_integer, number=finite)
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error.msg}", place=f"{place}:{error.lineno}:{error.colno}") from error
    except ValueError as error:
        raise FormatError(f"not JSON: {str(error)[:100]}", place=place) from error
    except RecursionError as error:
        raise FormatError("nested too deep", place=place) from error
    _expect_shallow(value, place)
    return value


def _expect_shallow(value: Any, place: str) -> None:
    level = [value]
    for _ in range(MAX_NESTING):
        inside = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [part for parts in inside for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise FormatError(f"nested over {MAX_NESTING} deep", place=place)


def from_base64(text: str, place: str) -> bytes:
    """The bytes of a text; `FormatError` for what is not plain base64 with its padding."""
    try:
        # `strict_mode` takes no characters of other alphabets, no line breaks, and nothing behind the padding.
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise FormatError(f"not base64: {str(error).splitlines()[0][:100]}", place=place) from error


def said(value: Any) -> str:
    """A value for a sentence, without writing out what may be large."""
    return f"a {type(value).__name__} of {len(value):,}" if isinstance(value, list | dict) else brief(value)


@dataclass(frozen=True)
class Fields:
    """A JSON object of which the fields are read by kind. What is of another kind is a `FormatError` with its place.

    A field that is absent has its default, which is what these formats leave out: 0, "", false.
    """

    values: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: Any, place: str, known: Iterable[str]) -> "Fields":
        """The fields of a value, which must be an object with none but known keys."""
        if not isinstance(value, dict):
            raise FormatError(f"expected an object, got {said(value)}", place=place)
        known = set(known)
        for key in value:
            if key not in known:
                raise FormatError(f"unknown key {brief(key)}", place=place, fix=nearest(key, known))
        return cls(value, place)

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.place}.{name}"

    def has(self, name: str) -> bool:
        """Whether the field is there, and not null."""
        return self.values.get(name) is not None

    def zero(self, name: str) -> bool:
        """Whether a number is absent, or 0, which these formats do not tell apart."""
        value = self.values.get(name)
        return value is None or (type(value) in (int, float) and value == 0)

    def integer(self, name: str, default: int = 0, least: int = 0) -> int:
        """A whole number from `least` to 2³¹ - 1; 0 counts as absent."""
        value = default if self.zero(name) else self.values[name]
        if type(value) is not int or not least <= value <= MAX_SIZE:
            raise FormatError(f"expected a whole number from {least} to {MAX_SIZE:,}, got {said(value)}", place=self.at(name))
        return value

    def size(self, *names: str) -> int:
        """The first of these fields that is there and not 0, which must be at least 1."""
        name = next((name for name in names if not self.zero(name)), names[0])
        return self.integer(name, least=1)

    def number(self, name: str, default: float = 0.0) -> float:
        """A number that float32 can hold; 0 counts as absent."""
        value = default if self.zero(name) else self.values[name]
        if type(value) not in (int, float) or abs(value) > LARGEST:
            raise FormatError(f"expected a number, got {said(value)}", place=self.at(name))
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.values.get(name)
        value = False if value is None else value
        if type(value) is not bool:
            raise FormatError(f"expected true or false, got {said(value)}", place=self.at(name))
        return value

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        value = self.values.get(name)
        value = default if value is None else value
        if not isinstance(value, str):
            raise FormatError(f"expected a text, got {said(value)}", place=self.at(name))
        return value

    def choice(self, name: str, known: Mapping[str, Any], default: str = "") -> Any:
        """What the text stands for in a table."""
        value = self.text(name, default) or default
        if value not in known:
            raise FormatError(f"unknown {name} {said(value)}", place=self.at(name), fix=nearest(value, known))
        return known[value]

    def items(self, name: str) -> list[tuple[Any, str]]:
        """The items of a list, each with its place."""
        value = self.values.get(name)
        value = [] if value is None else value
        if not isinstance(value, list):
            raise FormatError(f"expected a list, got {said(value)}", place=self.at(name))
        return [(item, f"{self.at(name)}[{i}]") for i, item in enumerate(value)]

    def sizes(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        return tuple(Fields({"size": item}, place).integer("size", least=0) for item, place in self.items(name))

    def array(self, name: str) -> np.ndarray:
        """A list of numbers as float32; `FormatError` for what float32 cannot hold."""
        value = self.values.get(name)
        if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
            raise FormatError(f"expected a list of numbers, got {said(value)}", place=self.at(name))
        try:
            wide = np.array(value, np.float64)
        except OverflowError:
            wide = np.array([np.inf])
        if wide.size and np.abs(wide).max() > LARGEST:
            raise FormatError("a number too large for float32", place=self.at(name))
        return wide.astype(np.float32)
