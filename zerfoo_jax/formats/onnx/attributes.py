"""The attributes of ONNX nodes as plain values."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.limits import check_name
from zerfoo_jax.formats.onnx.external import Folder
from zerfoo_jax.formats.onnx.tensors import array_of, dense_of
from zerfoo_jax.formats.operators.data_types import DATA_TYPES
from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph

if TYPE_CHECKING:
    from onnx import AttributeProto, TypeProto

FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    5: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    10: "graphs",
    11: "sparse_tensor",
    12: "sparse_tensors",
    13: "tp",
    14: "type_protos",
}
"""The field that holds the value of an attribute, by its type: `AttributeProto.AttributeType`."""

SubGraph = Callable[[Any, str], OperatorGraph]


def attributes_of(
    attributes: "Iterable[AttributeProto]", place: str, folder: Folder | None, sub_graph: SubGraph
) -> dict[str, Attribute]:
    """The attributes by name, without those that only refer to a function's; `sub_graph` reads the graphs among them.

    Raises `FormatError` for two of one name, and where an attribute's type and value do not fit together.
    """
    found: dict[str, Attribute] = {}
    for attribute in attributes:
        name = check_name(attribute.name, place)
        if attribute.ref_attr_name:
            continue
        if name in found:
            raise FormatError(f"the attribute {name!r} is there twice", place=place)
        found[name] = _value(attribute, f"{place}, attribute {name}", folder, sub_graph)
    return found


def field_of(attribute: "AttributeProto", place: str) -> str:
    """The field that holds the attribute's value; `FormatError` where its type is none or another field is set."""
    if attribute.type not in FIELDS:
        raise FormatError(f"there is no attribute type {attribute.type}", place=place, fix="repair=True reads some such files")
    name = FIELDS[attribute.type]
    others = [other for other in fields_set(attribute) if other != name]
    if others:
        raise FormatError(f"the value should stand in field {name!r}, and stands in {others[0]!r}", place=place)
    return name


def fields_set(attribute: "AttributeProto") -> list[str]:
    """The fields for values that the attribute has."""
    return [field.name for field, _ in attribute.ListFields() if field.name in FIELDS.values()]


def _value(attribute: "AttributeProto", place: str, folder: Folder | None, sub_graph: SubGraph) -> Attribute:
    name = field_of(attribute, place)
    value: Any = getattr(attribute, name)
    match name:
        case "f" | "i":
            return value
        case "s":
            return text_of(value, place)
        case "t":
            return array_of(value, place, folder)
        case "g":
            return sub_graph(value, place)
        case "sparse_tensor":
            return dense_of(value, place)
        case "tp":
            return type_name(value, place)
        case "floats" | "ints":
            return tuple(value)
        case "strings":
            return tuple(text_of(item, place) for item in value)
        case "tensors":
            return tuple(array_of(item, place, folder) for item in value)
        case "graphs":
            return tuple(sub_graph(item, place) for item in value)
        case _:
            raise FormatError(f"attributes of the kind {name!r} are not supported", place=place)


def text_of(value: bytes, place: str) -> str:
    """A text attribute; `FormatError` for what is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{brief(value)} is no text in UTF-8", place=place) from None


def type_name(given: "TypeProto", place: str) -> str:
    """A type as the specification writes it, such as `tensor(float32)` or `optional(seq(tensor(int64)))`."""
    kind = given.WhichOneof("value")
    if kind == "tensor_type" and given.tensor_type.elem_type in DATA_TYPES:
        return f"tensor({DATA_TYPES[given.tensor_type.elem_type]})"
    if kind == "sequence_type":
        return f"seq({type_name(given.sequence_type.elem_type, place)})"
    if kind == "optional_type":
        return f"optional({type_name(given.optional_type.elem_type, place)})"
    raise FormatError("types other than tensors, sequences and optional ones are not supported", place=place)
