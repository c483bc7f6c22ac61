"""A model as nodes: named layers wired by name, held as data, checked as a whole, and itself a layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from zerfoo_jax.core.errors import GraphError, Problem
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk
from zerfoo_jax.core.spec import Table
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.graph import spec, structure
from zerfoo_jax.graph.node import Node, source

_ordered = cache(structure.possible_order)


@dataclass(frozen=True)
class Graph(Composite):
    """Nodes wired by name, in any order. One output comes as it is, several as a tuple.

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

    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def children(self) -> Mapping[str, Layer]:
        return {node.name: node.layer for node in self.nodes}

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        values = dict(zip(self.inputs, xs, strict=True))
        for node in _ordered(self.nodes):
            values[node.name] = call(node.name, *(_value(values, wire) for wire in node.inputs))
        return self._outputs(values)

    def _outputs(self, values: Mapping[str, Tree]) -> Tree:
        found = tuple(_value(values, wire) for wire in self.outputs)
        return found[0] if len(found) == 1 else found

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        problems = structure.problems(self.inputs, self.nodes, self.outputs, len(xs))
        if not problems:
            return super().build(walk, key, *xs)
        if not walk.collect:
            raise GraphError(problems)
        for problem in problems:
            walk.report(problem)
        return {}, {}, self._check_what_remains(walk, key, *xs)

    def _check_what_remains(self, walk: Walk, key: Array, *xs: Any) -> Tree:
        """Visits the nodes of a wrongly wired graph, with stand-ins for what does not arrive."""
        values = dict(zip(self.inputs, xs, strict=False))
        for node in structure.possible_order(self.nodes):
            arrived = tuple(_value(values, wire) for wire in node.inputs if source(wire)[0] in values)
            if arrived and len(arrived) == len(node.inputs):
                values[node.name] = walk.visit(node.layer, node.name, key, *arrived)[2]
            else:
                values[node.name] = walk.guess(node.layer, *(arrived or xs))
        known = tuple(wire for wire in self.outputs if source(wire)[0] in values)
        return self._outputs(values) if len(known) == len(self.outputs) else xs[:1]

    @classmethod
    def read_spec(cls, given: Mapping[str, Any], table: Table, place: str, problems: list[Problem]) -> Layer:
        """The graph that a mapping with `nodes` describes; see `graph.spec`."""
        inputs, nodes, outputs = spec.read(given, table, place, problems)
        return cls(inputs, tuple(Node(*node) for node in nodes), outputs)

    def write_spec(self) -> dict[str, Any]:
        """The mapping that `read_spec` turns back into an equal graph."""
        return spec.write(self.inputs, ((n.name, n.layer, n.inputs) for n in self.nodes), self.outputs)


def _value(values: Mapping[str, Tree], wire: str) -> Tree:
    """What comes along a wire: the whole output of its node, or one of several."""
    name, index = source(wire)
    value = values[name]
    if index is None:
        return value
    if not isinstance(value, tuple) or index >= len(value):
        count = len(value) if isinstance(value, tuple) else 1
        raise GraphError(f"{wire!r} is no output of {name!r}, which has {count}", place=name, fix="count outputs from 0")
    return value[index]
