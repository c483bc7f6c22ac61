"""Networks made of operators, such as those read from ONNX files, as graphs of operators again."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.naming import new_name
from zerfoo_jax.formats.operators.operator import Operator
from zerfoo_jax.formats.operators.packing import unpacked
from zerfoo_jax.formats.operators.parameter import Parameter
from zerfoo_jax.formats.operators.wiring import captured_by
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.node import source
from zerfoo_jax.graph.shared import Shared


def is_of_operators(network: Network) -> bool:
    """Whether `to_operator_graph` takes the network."""
    model = network.model
    return isinstance(model, Graph) and all(isinstance(node.layer, Operator | Parameter | Shared) for node in model.nodes)


def to_operator_graph(network: Network) -> OperatorGraph:
    """The graph that `to_network` makes this network of: names, attributes and arrays are those of the file it came from.

    Where the network has been edited since, the values go where its wires lead, and what has the name of another value gets one
    of its own. Raises `FormatError` for a network with other layers than operators.
    """
    if not is_of_operators(network):
        raise FormatError("the network has layers that are no operators", fix="export what its functions compute")
    assert isinstance(network.model, Graph)
    return _Writing(network, network.model).graph()


@dataclass(frozen=True, eq=False)
class _Writing:
    network: Network
    model: Graph
    names: dict[str, str] = field(default_factory=dict)
    """What each wire of the network is called."""
    parameters: dict[str, np.ndarray] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    opsets: dict[str, int] = field(default_factory=dict)

    def graph(self) -> OperatorGraph:
        """The whole network as a graph."""
        labels = self._labels()
        declared = self.model.declared()
        for one in declared:
            self.names[one.name] = self._free(labels.get(one.name, one.name))
        layers = dict(self.model.children())
        nodes: list[OperatorNode] = []
        for node in self.model.nodes:
            owner = node.layer.node if isinstance(node.layer, Shared) else node.name
            nodes += self._written(node.name, owner, layers[owner], node.inputs)
        outputs = tuple(Value(self._along(wire)) for wire in self.model.outputs)
        inputs = tuple(_value(self.names[one.name], one) for one in declared)
        return OperatorGraph(tuple(nodes), inputs, outputs, self.parameters, self.opsets)

    def _labels(self) -> dict[str, str]:
        """What operators call the inputs of the graph that feed them."""
        inputs = set(self.model.input_names)
        found: dict[str, str] = {}
        for node in self.model.nodes:
            if isinstance(node.layer, Operator):
                for wire, label in zip(node.inputs, node.layer.wires, strict=False):
                    if wire in inputs:
                        found.setdefault(wire, label)
        return found

    def _free(self, name: str) -> str:
        found = name if name not in self.taken else new_name(name, self.taken)
        self.taken.add(found)
        return found

    def _along(self, wire: str) -> str:
        return self.names[wire] if wire in self.names else self.names[f"{source(wire)[0]}:0"]

    def _written(self, name: str, owner: str, layer: Layer, wires: tuple[str, ...]) -> list[OperatorNode]:
        """The nodes that stand for a node; none for an array."""
        params, state = self.network.params.get(owner, {}), self.network.state.get(owner, {})
        if isinstance(layer, Parameter):
            self.names[name] = self._array(layer.name, ({**params, **state})["value"])
            return []
        assert isinstance(layer, Operator)
        for domain, version in layer.versions.items():
            if self.opsets.setdefault(domain, version) != version:
                raise FormatError(f"operators of versions {version} and {self.opsets[domain]} are in one graph", place=name)
        called = {given: self._array(given, ({**params, **state})[leaf]) for given, leaf in layer.leaves.items()}
        called |= {given: self._array(given, unpacked(value)) for given, value in layer.constants}
        arriving = iter(map(self._along, wires))
        inputs = tuple(given and (called[given] if given in called else next(arriving)) for given in layer.operands)
        around = {given: called[given] if given in called else next(arriving) for given in captured_by(layer.node)}
        renamed = [
            OperatorNode("Identity", (actual,), (self._free(given),)) for given, actual in around.items() if given != actual
        ]
        results = tuple(one and self._free(one) for one in layer.results)
        several = len(results) > 1
        self.names.update((f"{name}:{i}" if several else name, one) for i, one in enumerate(results) if one)
        return [*renamed, OperatorNode(layer.op_type, inputs, results, layer.node.attributes, layer.name, layer.domain)]

    def _array(self, name: str, array: Any) -> str:
        """The name of an array of the graph; one that is there already is used again if it is the same."""
        array = np.asarray(array)
        known = self.parameters.get(name)
        if known is not None and known.dtype == array.dtype and np.array_equal(known, array):
            return name
        free = self._free(name)
        self.parameters[free] = array
        return free


def _value(name: str, declared: Input) -> Value:
    return Value(name, declared.dtype, declared.shape)
