"""A model as nodes: named layers wired by name, held as data, checked as a whole, and itself a layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zerfoo_jax.core.errors import ConfigError, GraphError, Problem
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk
from zerfoo_jax.core.spec import Table
from zerfoo_jax.core.types import Array, Tree, spec_of
from zerfoo_jax.graph import spec, structure
from zerfoo_jax.graph.input import Input, InputOrName
from zerfoo_jax.graph.node import Node, source
from zerfoo_jax.graph.shared import Shared

_ordered = cache(structure.possible_order)


@dataclass(frozen=True)
class Graph(Composite):
    """Nodes wired by name, in any order. One output comes as it is, several as a tuple.

    An input is a name, or an `Input` that also declares what shape and dtype it takes. A node whose layer is `Shared` runs
    another node's layer with that node's parameters. Raises `ConfigError` for over 10,000 nodes.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Activation, Dense
    >>> graph = Graph(
    ...     inputs=("x",),
    ...     nodes=(Node("hidden", Dense(8), ("x",)), Node("relu", Activation("relu"), ("hidden",))),
    ...     outputs=("relu",),
    ... )
    >>> params, state = graph.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4), jnp.float32))
    >>> output, _ = graph.apply(params, state, jnp.ones((2, 4)))
    >>> output.shape
    (2, 8)
    """

    inputs: tuple[InputOrName, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.nodes) > spec.MAX_NODES:
            raise ConfigError(f"Graph.nodes: {len(self.nodes)} nodes, over {spec.MAX_NODES}", fix="repeat blocks with Stack")

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, in their order."""
        return tuple(_named(given).name for given in self.inputs)

    def children(self) -> Mapping[str, Layer]:
        return {node.name: node.layer for node in self.nodes if not isinstance(node.layer, Shared)}

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        if len(xs) != len(self.inputs):
            raise GraphError(structure.wrong_number(self.input_names, len(xs)))
        values = dict(zip(self.input_names, xs, strict=True))
        for node in _ordered(self.nodes):
            owner = node.layer.node if isinstance(node.layer, Shared) else node.name
            values[node.name] = call(owner, *(value_along(values, wire) for wire in node.inputs), at=node.name)
        return self._outputs(values)

    def _outputs(self, values: Mapping[str, Tree]) -> Tree:
        found = tuple(value_along(values, wire) for wire in self.outputs)
        return found[0] if len(found) == 1 else found

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        problems = structure.problems(self.input_names, self.nodes, self.outputs, len(xs))
        misfits = [given.misfits(spec_of(x)) for given, x in zip(self.declared(), xs, strict=False)]
        problems += filter(None, misfits)
        if not problems and not walk.collect:
            return super().build(walk, key, *xs)
        if not problems:
            before = walk.mark()
            try:
                return super().build(walk, key, *xs)
            except GraphError:  # a wire from an output that its node does not have: once more, around it
                walk.go_back(before)
        if not walk.collect:
            raise GraphError(problems)
        for problem in problems:
            walk.report(problem)
        # What is declared stands in for what does not fit it, so that the rest is checked as it is meant.
        meant = (given.zeros(x) if misfit else x for given, x, misfit in zip(self.declared(), xs, misfits, strict=False))
        return {}, {}, self._check_what_remains(walk, key, *meant)

    def declared(self) -> tuple[Input, ...]:
        """The inputs, in their order."""
        return tuple(map(_named, self.inputs))

    def _check_what_remains(self, walk: Walk, key: Array, *xs: Any) -> Tree:
        """Visits the nodes of a wrongly wired graph, with stand-ins for what does not arrive."""
        values, layers = dict(zip(self.input_names, xs, strict=False)), dict(self.children())
        for node in structure.possible_order(self.nodes):
            layer = layers.get(node.layer.node) if isinstance(node.layer, Shared) else node.layer
            arrived = _arriving(walk, values, node.inputs)
            if layer and arrived and len(arrived) == len(node.inputs):
                values[node.name] = walk.visit(layer, node.name, key, *arrived)[2]
            else:
                values[node.name] = walk.guess(layer or node.layer, *(arrived or xs))
        walk.guess(self, *xs)  # so is what leaves the graph
        found = _arriving(walk, values, self.outputs)
        if len(found) != len(self.outputs):
            return xs[:1]
        return found[0] if len(found) == 1 else found

    @classmethod
    def read_spec(cls, given: Mapping[str, Any], table: Table, place: str, problems: list[Problem]) -> Layer:
        """The graph that a mapping with `nodes` describes; see `graph.spec`."""
        inputs, nodes, outputs = spec.read(given, table, place, problems)
        return cls(inputs, tuple(Node(*node) for node in nodes), outputs)

    def write_spec(self) -> dict[str, Any]:
        """The mapping that `read_spec` turns back into an equal graph."""
        return spec.write(self.declared(), ((n.name, n.layer, n.inputs) for n in self.nodes), self.outputs)


def _named(given: InputOrName) -> Input:
    assert isinstance(given, Input)  # the fields have been checked
    return given


def _arriving(walk: Walk, values: Mapping[str, Tree], wires: tuple[str, ...]) -> tuple[Tree, ...]:
    """What comes along those wires that something comes along; the others are written down if no one else has done so."""
    found: list[Tree] = []
    for wire in wires:
        try:
            found += [value_along(values, wire)] if source(wire)[0] in values else []
        except GraphError as error:
            for problem in error.problems:
                walk.report(problem)
    return tuple(found)


def value_along(values: Mapping[str, Tree], wire: str) -> Tree:
    """What comes along a wire: the whole output of its node, or one of several."""
    name, index = source(wire)
    value = values[name]
    if index is None:
        return value
    if not isinstance(value, tuple) or index >= len(value):
        count = len(value) if isinstance(value, tuple) else 1
        raise GraphError(f"{wire!r} is no output of {name!r}, which has {count}", place=name, fix="count outputs from 0")
    return value[index]
