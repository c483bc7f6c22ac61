"""Graphs of operators as networks whose parameters train."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats.operators.call import signature
from zerfoo_jax.formats.operators.evaluate import check_supported, version_of
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.naming import new_name
from zerfoo_jax.formats.operators.operator import Operator
from zerfoo_jax.formats.operators.packing import frozen, packed
from zerfoo_jax.formats.operators.parameter import Parameter
from zerfoo_jax.formats.operators.sequence_items import without_sequences
from zerfoo_jax.formats.operators.table import function_of
from zerfoo_jax.formats.operators.wiring import captured_by, sub_graphs
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.node import Node

MAX_CONSTANT = 2**16
"""Elements of an array that is part of its layer, if it is not trained; larger ones are state."""

TRAINED = ("float16", "bfloat16", "float32", "float64")
"""The dtypes of arrays that are trained, if they have at least one axis."""

LISTS = frozenset(
    {"SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceMap", "SplitToSequence", "Optional"}
)
"""Operators that give no array."""

CONCRETE = "formats.onnx.backend runs such models, operator by operator"


def to_network(graph: OperatorGraph, place: str = "", *, shapes: Mapping[str, Sequence[int]] | None = None) -> Network:
    """The graph as a network: each operator a node, with the arrays that it alone uses as its parameters.

    Arrays of floats with at least one axis are trained; running statistics and scales of quantisation (`Buffer` inputs), and
    large arrays of integers, are state; all others, and what decides over shapes, are constants of the operator that uses them.
    An array that several operators use is a node of its own. Sizes that are not known become None and are 1 in the network's
    `specs`. `shapes` says what shapes inputs have of which the graph says none.
    In training BatchNormalization goes by its batch and moves its running statistics, whatever its `training_mode`. Codes are
    integers, so nothing in front of a QuantizeLinear gets a gradient from behind it.
    Raises `FormatError` that names all operators that are not supported.
    """
    check_supported(graph, place)
    graph = without_sequences(graph)
    for node in graph.nodes:
        if node.op_type in LISTS:
            raise FormatError(f"{node.op_type} gives sequences, which models of arrays do not hold", place=place, fix=CONCRETE)
    try:
        return _Conversion(graph, place).network(shapes or {})
    except ConfigError as error:  # what no network can hold, such as inputs that are texts
        raise FormatError([problem.under(place) for problem in error.problems]) from error


@dataclass(frozen=True, eq=False)
class _Conversion:
    graph: OperatorGraph
    place: str
    wires: dict[str, str] = field(default_factory=dict)
    """What each value of the graph is called in the network."""
    nodes: dict[str, Node] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def network(self, shapes: Mapping[str, Sequence[int]]) -> Network:
        """The whole graph as a network."""
        inputs: dict[str, Input] = {}
        for value in self.graph.inputs:
            name = new_name(value.name, inputs)
            inputs[name] = _input(name, value, shapes, self.place)
            self.wires[value.name] = name
        roles = _roles(self.graph)
        uses = _uses(self.graph)
        taken = set(inputs)
        for name, role in roles.items():
            if (role != "constant" and (uses[name] > 1)) or name in self._outputs():
                taken.add(self._shared(name, role, taken))
        for node in self.graph.nodes:
            taken.add(self._operator(node, roles, taken))
        outputs = tuple(self.wires[name] for name in self._outputs())
        model = Graph(tuple(inputs.values()), tuple(self.nodes.values()), outputs)
        return Network(model, self.params, self.state, tuple(one.spec() for one in inputs.values()))

    def _outputs(self) -> list[str]:
        return [value.name for value in self.graph.outputs]

    def _shared(self, given: str, role: str, taken: set[str]) -> str:
        """A node that gives an array."""
        name, array = new_name(given, taken), self.graph.parameters[given]
        kept = "parameter" if role == "parameter" else "buffer"
        self.nodes[name] = Node(name, Parameter(given, str(array.dtype), array.shape, kept), ())
        (self.params if kept == "parameter" else self.state)[name] = {"value": array}
        self.wires[given] = name
        return name

    def _operator(self, node: OperatorNode, roles: Mapping[str, str], taken: set[str]) -> str:
        """A node for an operator."""
        name = new_name(node.name or f"{node.op_type}_{len(self.nodes)}", taken)
        arrays = self.graph.parameters
        own = [one for one in dict.fromkeys((*node.inputs, *captured_by(node))) if one in arrays and one not in self.wires]
        of = {role: [one for one in own if roles[one] == role] for role in ("parameter", "buffer", "constant")}
        layer = Operator(
            op_type=node.op_type,
            operands=node.inputs,
            results=node.outputs,
            attributes=frozen({key: packed(value) for key, value in node.attributes.items()}),
            parameters=_kinds(arrays, of["parameter"]),
            buffers=_kinds(arrays, of["buffer"]),
            constants=frozen({one: packed(arrays[one]) for one in of["constant"]}),
            domain=node.domain,
            opsets=frozen({domain: self.graph.opsets.get(domain, 1) for domain in sorted(_domains(node))}),
            name=node.name,
        )
        self.nodes[name] = Node(name, layer, tuple(self.wires[one] for one in layer.wires))
        for role, tree in (("parameter", self.params), ("buffer", self.state)):
            if of[role]:
                tree[name] = {layer.leaves[one]: arrays[one] for one in of[role]}
        several = len(node.outputs) > 1
        self.wires.update((one, f"{name}:{i}" if several else name) for i, one in enumerate(node.outputs) if one)
        return name


def _kinds(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> Any:
    """Dtype and shape of each."""
    return frozen({name: (str(arrays[name].dtype), arrays[name].shape) for name in names})


def _domains(node: OperatorNode) -> set[str]:
    inner = [one for sub in sub_graphs(node) for inside in sub.nodes for one in _domains(inside)]
    return {node.domain, *inner}


def _input(name: str, value: Value, shapes: Mapping[str, Sequence[int]], place: str) -> Input:
    shape = shapes.get(value.name, value.shape)
    if shape is None or value.dtype is None:
        raise FormatError(
            f"the file does not say the shape or dtype of its input {value.name!r}", place=place, fix="give it in `shapes`"
        )
    return Input(name, tuple(size if isinstance(size, int) else None for size in shape), value.dtype)


def _uses(graph: OperatorGraph) -> dict[str, int]:
    """How many nodes use each of the graph's arrays."""
    found = dict.fromkeys(graph.parameters, 0)
    for node in graph.nodes:
        for name in {*node.inputs, *captured_by(node)} & found.keys():
            found[name] += 1
    return found


def _roles(graph: OperatorGraph) -> dict[str, str]:
    """Whether each of the graph's arrays is a parameter, a buffer or a constant."""
    marks: dict[str, set[str]] = {name: set() for name in graph.parameters}
    for node in graph.nodes:
        for name, mark in _marks(node, graph.opsets):
            if name in marks:
                marks[name].add(mark)
    return {name: _role(graph.parameters[name], found) for name, found in marks.items()}


def _marks(node: OperatorNode, opsets: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """As what a node uses each of its inputs."""
    asked = signature(function_of(node.op_type, node.domain, version_of(node, opsets)))
    for position, name in enumerate(node.inputs):
        formal = asked.input_name(position)
        yield name, "known" if formal in asked.known else "buffer" if formal in asked.buffers else "value"
    for name in captured_by(node):
        yield name, "value"


def _role(array: np.ndarray, marks: set[str]) -> str:
    if "known" in marks or array.dtype.hasobject:
        return "constant"
    if array.ndim and str(array.dtype) in TRAINED and marks != {"buffer"}:
        return "parameter"
    return "constant" if array.size <= MAX_CONSTANT and "buffer" not in marks else "buffer"
