"""Attributes and tensors in fields of layers: as values that hash and compare, and that YAML and JSON can hold.

A mapping is pairs, as everywhere in layers' fields; an array is a mapping of its dtype, its shape and its bytes in base64, or
its texts; a graph is a mapping of its parts.
"""

import base64
import binascii
from collections.abc import Mapping
import math
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from zerfoo_jax.core.errors import ConfigError, brief
from zerfoo_jax.formats.operators.data_types import NUMBERS, dtype_named
from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph, OperatorNode, Value


def frozen(value: Any) -> Any:
    """The value with its mappings as pairs and its lists as tuples."""
    if isinstance(value, Mapping):
        return tuple((str(name), frozen(item)) for name, item in value.items())
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


Pairs = Annotated[tuple[Any, ...], BeforeValidator(frozen)]
"""For fields that hold a mapping."""


def packed(value: Attribute) -> Any:
    """An attribute, or a tensor, as it may stand in a field.

    >>> packed(np.int8([1, 2]))
    (('dtype', 'int8'), ('shape', (2,)), ('data', 'AQI='))
    """
    if isinstance(value, np.ndarray):
        held = (
            {"texts": tuple(value.ravel())} if value.dtype.hasobject else {"data": base64.b64encode(value.tobytes()).decode()}
        )
        return frozen({"dtype": str(value.dtype), "shape": value.shape, **held})
    if isinstance(value, OperatorGraph):
        return frozen(
            {
                "nodes": [_packed_node(node) for node in value.nodes],
                "inputs": [_packed_value(one) for one in value.inputs],
                "outputs": [_packed_value(one) for one in value.outputs],
                "parameters": {name: packed(array) for name, array in value.parameters.items()},
                "name": value.name,
            }
        )
    return tuple(map(packed, value)) if isinstance(value, tuple) else value


def unpacked(value: Any) -> Any:
    """What `packed` turns into this; raises `ConfigError` for an array that is none."""
    if not isinstance(value, tuple):
        return value
    names = _names(value)
    if names[:2] == ("dtype", "shape"):
        return _array(dict(value))
    if names[:1] == ("nodes",):
        return _graph(dict(value))
    return tuple(map(unpacked, value))


def _names(value: tuple[Any, ...]) -> tuple[str, ...]:
    """The names of pairs; none for any other tuple."""
    are_pairs = all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value)
    return tuple(item[0] for item in value) if are_pairs else ()


def _array(given: Mapping[str, Any]) -> np.ndarray:
    try:
        if given["dtype"] not in NUMBERS:
            raise ValueError("unknown dtype")
        if "texts" in given:
            found = np.empty(len(given["texts"]), object)
            found[:] = given["texts"]
        else:
            found = np.frombuffer(base64.b64decode(given["data"], validate=True), dtype_named(given["dtype"]))
        if found.size != math.prod(given["shape"]):
            raise ValueError("another number of elements than its shape says")
        return found.reshape(given["shape"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ConfigError(f"{brief(dict(given))} is no array: {error}") from error


def _packed_node(node: OperatorNode) -> dict[str, Any]:
    return {
        "op_type": node.op_type,
        "inputs": node.inputs,
        "outputs": node.outputs,
        "attributes": {name: packed(value) for name, value in node.attributes.items()},
        "name": node.name,
        "domain": node.domain,
    }


def _packed_value(value: Value) -> dict[str, Any]:
    return {"name": value.name, "dtype": value.dtype, "shape": value.shape}


def _graph(given: Mapping[str, Any]) -> OperatorGraph:
    def node(parts: Any) -> OperatorNode:
        read = dict(parts)
        return OperatorNode(**{**read, "attributes": {name: unpacked(value) for name, value in read["attributes"]}})

    return OperatorGraph(
        nodes=tuple(map(node, given["nodes"])),
        inputs=tuple(Value(**dict(one)) for one in given["inputs"]),
        outputs=tuple(Value(**dict(one)) for one in given["outputs"]),
        parameters={name: unpacked(array) for name, array in given["parameters"]},
        name=given["name"],
    )
