"""Graphs as mappings, the form that YAML and JSON files hold::

    inputs: [image]              # may be left out: one input, called `inputs`
    nodes:
      conv: {type: Conv2D, features: 8, kernel_size: 3}
      relu: {type: Activation, function: relu}
      merged: {type: Add, inputs: [conv, relu]}
    outputs: [merged]            # may be left out: the last node

A node without `inputs` takes the node before it, the first one the graph's inputs. A graph as a node, which has inputs of its
own, stands under `layer`. Inputs may declare what they take, null for any size::

    inputs:
      image: {shape: [null, 8, 8, 1], dtype: float32}
"""

from collections.abc import Iterable, Mapping
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem, brief, nearest
from zerfoo_jax.core.fields import check_options
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer
from zerfoo_jax.graph.input import Input

DEFAULT_INPUT = "inputs"
MAX_NODES = 10_000
KEYS = ("inputs", "nodes", "outputs")

Wires = tuple[str, ...]
Inputs = tuple[Input, ...]
NodeParts = tuple[str, Layer, Wires]


def read(
    given: Mapping[str, Any], table: Table, place: str, problems: list[Problem]
) -> tuple[Inputs, tuple[NodeParts, ...], Wires]:
    """Inputs, nodes and outputs of the graph that a mapping describes; problems are written down with their config path."""
    problems.extend(
        Problem(f"a graph has no key {key!r}", f"{place}.{key}", nearest(key, KEYS)) for key in given if key not in KEYS
    )
    inputs = _inputs(given, place, problems)
    nodes: list[NodeParts] = []
    before = tuple(one.name for one in inputs)
    for name, spec in _listed(given.get("nodes"), f"{place}.nodes", problems).items():
        at = f"{place}.nodes.{name}"
        own = dict(spec) if isinstance(spec, Mapping) else spec
        wires = _names(own, "inputs", before, at, problems) if isinstance(own, dict) else before
        if isinstance(own, dict):
            own.pop("inputs", None)
            if set(own) == {"layer"}:  # a graph in a graph has inputs of its own
                own, at = typed(own["layer"]), f"{at}.layer"
        nodes.append((str(name), read_layer(own, table, at, problems), wires))
        before = (str(name),)
    return inputs, tuple(nodes), _names(given, "outputs", before, place, problems)


def typed(given: Any) -> Any:
    """A mapping without a type that has a key of graphs is one; all else as it is."""
    return {"type": "Graph", **given} if isinstance(given, Mapping) and not given.keys().isdisjoint(KEYS) else given


def _inputs(given: Mapping[str, Any], place: str, problems: list[Problem]) -> Inputs:
    declared = given.get("inputs")
    if not isinstance(declared, Mapping):
        return tuple(map(Input, _names(given, "inputs", (DEFAULT_INPUT,), place, problems)))
    return tuple(_input(str(name), one, f"{place}.inputs.{name}", problems) for name, one in declared.items())


def _input(name: str, given: Any, place: str, problems: list[Problem]) -> Input:
    """The input that `{shape: ..., dtype: ...}` or null declares."""
    if given is not None and not isinstance(given, Mapping):
        problems.append(Problem(f"an input is null or a mapping with shape and dtype, got {brief(given)}", place))
        return Input(name)
    checked, found = check_options(Input, {**(given or {}), "name": name})
    found += [Problem("Input.name is the key that it stands under", "name", "leave it out")] if "name" in (given or {}) else []
    problems.extend(Problem(p.cause, f"{place}.{p.place}" if p.place else place, p.fix) for p in found)
    try:
        return Input(name) if found else Input(**checked)
    except ConfigError as error:
        problems.extend(Problem(p.cause, place, p.fix) for p in error.problems)
        return Input(name)


def _listed(nodes: Any, place: str, problems: list[Problem]) -> Mapping[str, Any]:
    if not isinstance(nodes, Mapping) or not nodes:
        problems.append(Problem("a graph needs nodes: a mapping from name to layer", place))
        return {}
    if len(nodes) > MAX_NODES:
        problems.append(Problem(f"the graph has {len(nodes)} nodes, over {MAX_NODES}", place, "repeat blocks with Stack"))
        return {}
    return nodes


def _names(given: Mapping[str, Any], key: str, default: Wires, place: str, problems: list[Problem]) -> Wires:
    """The names under a key. Where they cannot be read, the default too: what follows is not to blame."""
    value = given.get(key, default)
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        problems.append(Problem(f"should be a name or a list of names, got {brief(value)}", f"{place}.{key}"))
        return default
    return tuple(names)


def write(inputs: Inputs, nodes: Iterable[NodeParts], outputs: Wires) -> dict[str, Any]:
    """The mapping that `read` turns back into the same parts."""
    described = {}
    for name, layer, wires in nodes:
        own = layer_to_spec(layer)
        described[name] = {**({"layer": own} if "inputs" in own else own), "inputs": list(wires)}
    return {"type": "Graph", "inputs": _written(inputs), "nodes": described, "outputs": list(outputs)}


def _written(inputs: Inputs) -> list[str] | dict[str, Any]:
    if all(one.shape is None for one in inputs):
        return [one.name for one in inputs]
    return {one.name: None if one.shape is None else {"shape": list(one.shape), "dtype": one.dtype} for one in inputs}
