"""Attributes that ZONNX's other converter made of inputs, as the inputs that the ONNX specification knows.

That converter, for constant inputs, writes the shape of Reshape, the bounds of Slice and their like as attributes, and
takes the inputs away. In old versions of the operators they are attributes anyway, and stay so.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.operators.graph import OperatorNode

_INDICES = np.dtype(np.int64)
_SAME = np.dtype(np.float32)

PROMOTED: Mapping[str, tuple[int, Mapping[str, tuple[int, np.dtype[Any]]]]] = {
    "Pad": (11, {"pads": (1, _INDICES), "constant_value": (2, _SAME)}),
    "ReduceSum": (13, {"axes": (1, _INDICES)}),
    "Reshape": (5, {"shape": (1, _INDICES)}),
    "Resize": (11, {"scales": (2, _SAME), "sizes": (3, _INDICES)}),
    "Slice": (
        10,
        {"starts": (1, _INDICES), "ends": (2, _INDICES), "axes": (3, _INDICES), "steps": (4, _INDICES)},
    ),
    "TopK": (10, {"k": (1, _INDICES)}),
}
"""By operator: the version from which on these are inputs, and for each its position and dtype."""


def demoted(nodes: Sequence[OperatorNode], version: int, taken: set[str]) -> tuple[list[OperatorNode], dict[str, np.ndarray]]:
    """The nodes with such attributes as inputs, and the parameters that these are; `taken` are the names in use.

    Raises `FormatError` for what is an attribute and an input, and for values that are no numbers.
    """
    parameters: dict[str, np.ndarray] = {}
    return [_demoted(node, version, taken, parameters) for node in nodes], parameters


def _demoted(node: OperatorNode, version: int, taken: set[str], parameters: dict[str, np.ndarray]) -> OperatorNode:
    since, positions = PROMOTED.get(node.op_type, (0, {}))
    found = {name: node.attributes[name] for name in positions if name in node.attributes}
    if not found or node.domain or version < since:
        return node
    inputs = list(node.inputs)
    for name, value in found.items():
        position, dtype = positions[name]
        inputs += [""] * (position + 1 - len(inputs))
        if inputs[position]:
            raise FormatError(f"{name!r} of {node.op_type} is an attribute and an input", place=node.name)
        inputs[position] = next(free for free in _names(f"{node.name or node.outputs[0]}_{name}") if free not in taken)
        taken.add(inputs[position])
        parameters[inputs[position]] = _array(node, name, value, dtype)
    kept = {name: value for name, value in node.attributes.items() if name not in found}
    return OperatorNode(node.op_type, tuple(inputs), node.outputs, kept, node.name, node.domain)


def _array(node: OperatorNode, name: str, value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    try:
        array = np.asarray(value, dtype)
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"{name!r} of {node.op_type} is no list of numbers", place=node.name) from None
    return array.reshape(()) if name == "constant_value" else array.reshape(-1)


def _names(name: str) -> Iterator[str]:
    yield name
    for i in range(1, 2**31):
        yield f"{name}_{i}"
