"""Values as attributes and back: of layers what their specs hold; of operators numbers, texts, tensors, graphs and tuples."""

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, brief
from zerfoo_jax.formats.operators.graph import Attribute as OperatorAttribute
from zerfoo_jax.formats.operators.graph import OperatorGraph
from zerfoo_jax.formats.zmf import schema
from zerfoo_jax.formats.zmf.decode import named
from zerfoo_jax.formats.zmf.schema import Attribute, Floats, Ints, Strings, which
from zerfoo_jax.formats.zmf.tensors import array_of, tensor_of


def attribute_of(value: Any) -> Attribute:
    """The attribute that holds a value of a layer's spec; `ConfigError` for what a file has no place for."""
    if value is None:
        return Attribute(null=True)
    if isinstance(value, bool):
        return Attribute(b=value)
    if isinstance(value, int):
        return Attribute(i=value)
    if isinstance(value, float):
        return Attribute(f=value) if _is_float32(value) else Attribute(d=value)
    if isinstance(value, str):
        return Attribute(s=value)
    if isinstance(value, Mapping):
        keys = [_text(key) for key in value]
        return Attribute(mapping=schema.Mapping(keys=keys, values=[attribute_of(item) for item in value.values()]))
    if isinstance(value, list | tuple):
        return _of_list(value)
    raise ConfigError(f"a field holds {brief(value)}, which no file has a place for")


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"a mapping has the key {brief(key)}, which is no text")
    return key


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def _of_list(values: Sequence[Any]) -> Attribute:
    """A list as the original's lists where its items are of one such kind."""
    if values and all(type(item) is int for item in values):
        return Attribute(ints=Ints(val=values))
    if values and all(isinstance(item, float) and _is_float32(item) for item in values):
        return Attribute(floats=Floats(val=values))
    if values and all(isinstance(item, str) for item in values):
        return Attribute(strings=Strings(val=values))
    return Attribute(list=schema.List(val=[attribute_of(item) for item in values]))


def value_of(attribute: Attribute) -> Any:
    """The value that `attribute_of` made the attribute of; raises `FormatError` for what is none of a layer."""
    kind, value = _only(attribute)
    match kind:
        case "null":
            return None
        case "b" | "i" | "f" | "d" | "s":
            return value
        case "floats" | "ints" | "strings":
            return list(value.val)
        case "list":
            return [value_of(item) for item in value.val]
        case "mapping":
            return _mapping_of(value)
    raise FormatError(f"a layer has no attributes that are a {kind}")


def _mapping_of(mapping: schema.Mapping) -> dict[str, Any]:
    if len(mapping.keys) != len(mapping.values) or len(set(mapping.keys)) != len(mapping.keys):
        raise FormatError(f"a mapping of {len(set(mapping.keys))} names and {len(mapping.values)} values")
    return {key: named(value_of, key, item) for key, item in zip(mapping.keys, mapping.values, strict=True)}


def _only(attribute: Attribute) -> tuple[str, Any]:
    """Name and value of the one field that is set."""
    found = which(attribute)
    if len(found) != 1:
        raise FormatError(f"an attribute with {len(found)} values" if found else "an attribute without a value known here")
    return found[0]


def operator_attribute_of(value: OperatorAttribute, message_of: Callable[[OperatorGraph], schema.Graph]) -> Attribute:
    """The attribute of an operator; `message_of` writes the graphs among them. Floats are 32 bits wide, as in ONNX."""
    if isinstance(value, OperatorGraph):
        return Attribute(graph=message_of(value))
    if isinstance(value, np.ndarray):
        return Attribute(tensor=tensor_of(value))
    if isinstance(value, bool | int):
        return Attribute(i=int(value))
    if isinstance(value, float):
        return Attribute(f=value)
    if (
        isinstance(value, tuple)
        and not any(isinstance(item, str) for item in value)
        and any(isinstance(item, float) for item in value)
    ):
        return Attribute(floats=Floats(val=value))
    if isinstance(value, tuple) and not all(isinstance(item, str) for item in value):
        return _of_tuple(value, message_of)
    return attribute_of(value)


def _of_tuple(values: tuple[Any, ...], message_of: Callable[[OperatorGraph], schema.Graph]) -> Attribute:
    """Numbers as the original's lists; floats may have integers among them, which Python takes for floats too."""
    if all(isinstance(item, int) for item in values):
        return Attribute(ints=Ints(val=values))
    if all(isinstance(item, int | float) for item in values):
        return Attribute(floats=Floats(val=values))
    return Attribute(list=schema.List(val=[operator_attribute_of(item, message_of) for item in values]))


def operator_value_of(attribute: Attribute, graph_of: Callable[[schema.Graph], OperatorGraph]) -> OperatorAttribute:
    """The value of an operator's attribute; `graph_of` reads graphs. Truth values are the integers that ZONNX made them of."""
    kind, value = _only(attribute)
    match kind:
        case "b":
            return int(value)
        case "i" | "s":
            return value
        case "f" | "d":
            return _number(value)
        case "floats":
            return tuple(map(_number, value.val))
        case "ints" | "strings":
            return tuple(value.val)
        case "tensor":
            return array_of(value)
        case "graph":
            return graph_of(value)
        case "list":
            return tuple(operator_value_of(item, graph_of) for item in value.val)
    raise FormatError(f"an operator has no attributes that are a {kind}")


def _number(value: float) -> float:
    if isnan(value):
        raise FormatError("an attribute that is not a number")
    return value
