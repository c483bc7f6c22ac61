"""Normalisation by known statistics behind a convolution, taken into its kernel: (conv - mean) · factor + offset."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from zerfoo_jax.formats.lowering.cleaning import uses
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode


def with_norms_in_kernels(graph: OperatorGraph) -> OperatorGraph:
    """The graph with its convolutions scaled and shifted as what follows them would; what that leaves unused stays."""
    counts = Counter(name for node in graph.nodes for name in uses(node))
    counts.update(value.name for value in graph.outputs)
    folding = _Folding(counts, dict(graph.parameters))
    nodes = tuple(map(folding.node, graph.nodes))
    return replace(graph, nodes=nodes, parameters=folding.parameters)


@dataclass(frozen=True, eq=False)
class _Folding:
    counts: Counter[str]
    """How often each value is used."""
    parameters: dict[str, np.ndarray]
    made: dict[str, OperatorNode] = field(default_factory=dict)

    def node(self, node: OperatorNode) -> OperatorNode:
        """The node, or the convolution that does what it does."""
        if node.op_type in ("Sub", "Mul", "Add"):
            node = self._folded(node) or node
        self.made.update(dict.fromkeys(node.outputs, node))
        return node

    def _folded(self, node: OperatorNode) -> OperatorNode | None:
        for value, other in (node.inputs, node.inputs[::-1]) if node.op_type != "Sub" else (node.inputs,):
            convolution, array = self.made.get(value), self.parameters.get(other)
            if convolution is None or array is None or convolution.op_type != "Conv" or self.counts[value] != 1:
                continue
            kernel = self.parameters.get(convolution.inputs[1])
            if kernel is not None and kernel.dtype in (np.float32, np.float64) and _is_per_channel(array, kernel):
                return self._scaled(node, convolution, kernel, other)
        return None

    def _scaled(self, node: OperatorNode, convolution: OperatorNode, kernel: np.ndarray, other: str) -> OperatorNode:
        x, name, *biases = convolution.inputs
        by = self.parameters[other].reshape(-1)
        bias = self.parameters[biases[0]] if biases else None
        if node.op_type == "Mul":
            name = self._changed(name, kernel * by.reshape(-1, *(1,) * (kernel.ndim - 1)))
            bias = None if bias is None else bias * by
        else:
            shift = by if node.op_type == "Add" else -by
            bias = shift if bias is None else bias + shift
        inputs = (x, name) if bias is None else (x, name, self._changed(biases[0] if biases else other, bias))
        return replace(convolution, inputs=inputs, outputs=node.outputs)

    def _changed(self, name: str, array: np.ndarray) -> str:
        """The name of a changed parameter: its own where only the two nodes that become one use it."""
        if self.counts[name] != 1:
            while name in self.parameters:
                name += "_normalised"
        self.parameters[name] = array
        self.counts[name] = 1
        return name


def _is_per_channel(array: np.ndarray, kernel: np.ndarray) -> bool:
    """Whether an array has one number for each channel that a convolution makes."""
    spatial = kernel.ndim - 2
    return array.dtype == kernel.dtype and array.shape == (len(kernel), *(1,) * spatial)
