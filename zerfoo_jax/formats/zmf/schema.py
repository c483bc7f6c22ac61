"""The messages of `proto/zmf.proto`, which says what each field means. Fields from 100 on are zerfoo_jax's own."""

# What fields are made by gives a new `dataclasses.field` each time.
# ruff: noqa: RUF009

from collections.abc import Mapping as Names
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerfoo_jax.formats.zmf.message import Message, fields_of, many, mapped, one, optional

EXTENSION_VERSION = 1
"""Of the fields from 100 on."""

DOMAIN = "zerfoo_jax"
"""Of nodes that are layers, not operators."""

Buffer = bytes | memoryview | np.ndarray


@dataclass(kw_only=True, eq=False, slots=True)
class Floats(Message):
    """Numbers."""

    val: Sequence[float] = many(1, "float")


@dataclass(kw_only=True, eq=False, slots=True)
class Ints(Message):
    """Integers."""

    val: Sequence[int] = many(1, "int64")


@dataclass(kw_only=True, eq=False, slots=True)
class Strings(Message):
    """Texts."""

    val: Sequence[str] = many(1, "string")


@dataclass(kw_only=True, eq=False, slots=True)
class List(Message):
    """Attributes in a row."""

    val: "Sequence[Attribute]" = many(1, lambda: Attribute)


@dataclass(kw_only=True, eq=False, slots=True)
class Mapping(Message):
    """Attributes by name, in their order."""

    keys: Sequence[str] = many(1, "string")
    values: "Sequence[Attribute]" = many(2, lambda: Attribute)


@dataclass(kw_only=True, eq=False, slots=True)
class Quantization(Message):
    """What the codes of a tensor stand for."""

    scale: float = one(1, "float")
    zero_point: int = one(2, "int64")
    q_min: int | None = optional(3, "int64")
    q_max: int | None = optional(4, "int64")
    scales: "Tensor | None" = one(100, lambda: Tensor)
    zero_points: "Tensor | None" = one(101, lambda: Tensor)
    axis: int | None = optional(102, "int64")
    block: int = one(103, "int64")
    is_value: bool = one(104, "bool")


@dataclass(kw_only=True, eq=False, slots=True)
class Tensor(Message):
    """An array. Once a file has been read `data` are its bytes wherever they were, and `offset` is None."""

    dtype: int = one(1, "enum")
    shape: Sequence[int] = many(2, "int64")
    data: Buffer = one(3, "bytes", padding=104)
    quant: Quantization | None = one(4, lambda: Quantization)
    dtype_name: str = one(100, "string")
    offset: int | None = optional(101, "int64")
    size: int = one(102, "int64")
    digest: Buffer = one(103, "bytes")
    strings: Strings | None = one(105, lambda: Strings)


@dataclass(kw_only=True, eq=False, slots=True)
class Attribute(Message):
    """One value; all but one of the fields are None."""

    f: float | None = optional(1, "float")
    i: int | None = optional(2, "int64")
    s: str | None = optional(3, "string")
    floats: Floats | None = one(4, lambda: Floats)
    ints: Ints | None = one(5, lambda: Ints)
    strings: Strings | None = one(6, lambda: Strings)
    b: bool | None = optional(7, "bool")
    tensor: Tensor | None = one(8, lambda: Tensor)
    list: List | None = one(100, lambda: List)
    mapping: Mapping | None = one(101, lambda: Mapping)
    null: bool | None = optional(102, "bool")
    d: float | None = optional(103, "double")
    graph: "Graph | None" = one(104, lambda: Graph)


@dataclass(kw_only=True, eq=False, slots=True)
class Node(Message):
    """An operator or a layer."""

    name: str = one(1, "string")
    op_type: str = one(2, "string")
    inputs: Sequence[str] = many(3, "string")
    outputs: Sequence[str] = many(4, "string")
    attributes: Names[str, Attribute] = mapped(5, lambda: Attribute)
    epsilon: float | None = optional(6, "float")
    perm: Sequence[int] = many(7, "int64")
    axis: int | None = optional(8, "int64")
    domain: str = one(100, "string")


@dataclass(kw_only=True, eq=False, slots=True)
class Dim(Message):
    """A size, or a name for one, or neither."""

    size: int | None = optional(1, "int64")
    name: str = one(2, "string")


@dataclass(kw_only=True, eq=False, slots=True)
class ValueType(Message):
    """What is known of a value."""

    dtype: str = one(1, "string")
    dims: Sequence[Dim] = many(2, lambda: Dim)
    has_shape: bool = one(3, "bool")


@dataclass(kw_only=True, eq=False, slots=True)
class ValueInfo(Message):
    """An input or output of a graph."""

    name: str = one(1, "string")
    dtype: int = one(2, "enum")
    shape: Sequence[int] = many(3, "int64")
    exact: ValueType | None = one(100, lambda: ValueType)


@dataclass(kw_only=True, eq=False, slots=True)
class Graph(Message):
    """Nodes wired by the names of values."""

    parameters: Names[str, Tensor] = mapped(1, lambda: Tensor)
    nodes: Sequence[Node] = many(2, lambda: Node)
    inputs: Sequence[ValueInfo] = many(3, lambda: ValueInfo)
    outputs: Sequence[ValueInfo] = many(4, lambda: ValueInfo)
    name: str = one(100, "string")


@dataclass(kw_only=True, eq=False, slots=True)
class Metadata(Message):
    """Who made the file, and of which version its operators are."""

    producer_name: str = one(1, "string")
    producer_version: str = one(2, "string")
    opset_version: int = one(3, "int64")


@dataclass(kw_only=True, eq=False, slots=True)
class Extension(Message):
    """What the original format has no place for."""

    version: int = one(1, "int64")
    state: Names[str, Tensor] = mapped(2, lambda: Tensor)
    extra: Names[str, Tensor] = mapped(3, lambda: Tensor)
    metadata: Names[str, str] = mapped(4, "string")
    opsets: Names[str, int] = mapped(5, "int64")
    specs: Sequence[ValueType] = many(6, lambda: ValueType)
    is_layer: bool = one(7, "bool")
    data_file: str = one(8, "string")
    data_digest: Buffer = one(9, "bytes")


@dataclass(kw_only=True, eq=False, slots=True)
class Model(Message):
    """A whole file."""

    graph: Graph | None = one(1, lambda: Graph)
    metadata: Metadata | None = one(2, lambda: Metadata)
    zmf_version: str = one(3, "string")
    extension: Extension | None = one(100, lambda: Extension)


def which(attribute: Attribute) -> list[tuple[str, Any]]:
    """Names and values of the fields of an attribute that are set: one, in files that are in order."""
    names = (field.name for field in fields_of(Attribute).values())
    return [(name, value) for name in names if (value := getattr(attribute, name)) is not None]
