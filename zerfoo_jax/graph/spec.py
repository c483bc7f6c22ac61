"""Graphs as mappings, the form that YAML and JSON files hold::

    inputs: [image]              # may be left out: one input, called `inputs`
    nodes:
      conv: {type: Conv2D, features: 8, kernel_size: 3}
      relu: {type: Activation, function: relu}
      merged: {type: Add, inputs: [conv, relu]}
    outputs: [merged]            # may be left out: the last node

A node without `inputs` takes the node before it, the first one the graph's inputs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from zerfoo_jax.core.errors import Problem, nearest
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer

DEFAULT_INPUT = "inputs"
KEYS = ("inputs", "nodes", "outputs")

Wires = tuple[str, ...]
NodeParts = tuple[str, Layer, Wires]


def read(
    given: Mapping[str, Any], table: Table, place: str, problems: list[Problem]
) -> tuple[Wires, tuple[NodeParts, ...], Wires]:
    """Inputs, nodes and outputs of the graph that a mapping describes; problems are written down with their config path."""
    problems.extend(
        Problem(f"a graph has no key {key!r}", f"{place}.{key}", nearest(key, KEYS)) for key in given if key not in KEYS
    )
    inputs = _names(given.get("inputs", (DEFAULT_INPUT,)), f"{place}.inputs", problems)
    listed = given.get("nodes")
    if not isinstance(listed, Mapping) or not listed:
        problems.append(Problem("a graph needs nodes: a mapping from name to layer", f"{place}.nodes"))
        listed = {}
    nodes: list[NodeParts] = []
    before = inputs
    for name, spec in listed.items():
        at = f"{place}.nodes.{name}"
        own = dict(spec) if isinstance(spec, Mapping) else {"type": spec}
        wires = _names(own.pop("inputs"), f"{at}.inputs", problems) if "inputs" in own else before
        nodes.append((str(name), read_layer(own, table, at, problems), wires))
        before = (str(name),)
    outputs = _names(given["outputs"], f"{place}.outputs", problems) if "outputs" in given else before
    return inputs, tuple(nodes), outputs


def _names(value: Any, place: str, problems: list[Problem]) -> Wires:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        problems.append(Problem(f"should be a name or a list of names, got {value!r}", place))
        return ()
    return tuple(names)


def write(inputs: Wires, nodes: Iterable[NodeParts], outputs: Wires) -> dict[str, Any]:
    """The mapping that `read` turns back into the same parts."""
    described = {name: {**layer_to_spec(layer), "inputs": list(wires)} for name, layer, wires in nodes}
    return {"type": "Graph", "inputs": list(inputs), "nodes": described, "outputs": list(outputs)}
