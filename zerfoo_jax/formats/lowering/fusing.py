"""Operators in the place of several that together do the same: ReduceMean, Softmax, LogSoftmax, LayerNormalization, Gelu."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
import math
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.cleaning import with_graphs
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode

Shapes = Mapping[str, tuple[Any, ...]]


def fused(graph: OperatorGraph, shapes: Shapes) -> OperatorGraph:
    """The graph with one operator where several stood; what they leave unused stays. `shapes` are those of all values."""
    return _Fusing(graph.parameters, shapes, graph.opsets[""]).graph(graph)


class _Fusing:
    """Looks for patterns, with the nodes so far by their outputs."""

    def __init__(self, parameters: Mapping[str, np.ndarray], shapes: Shapes, opset: int):
        self.parameters, self.shapes, self.opset = parameters, shapes, opset
        self._made: dict[str, OperatorNode] = {}
        self._names: dict[str, int] = {}

    def graph(self, graph: OperatorGraph) -> OperatorGraph:
        nodes: list[OperatorNode] = []
        for node in graph.nodes:
            node = with_graphs(node, self.graph)
            found = next(filter(None, (pattern(self, node) for pattern in _PATTERNS.get(node.op_type, ()))), node)
            if found is not node:
                found = replace(found, name=self._numbered(found.name))
            self._made.update(dict.fromkeys(found.outputs, found))
            nodes.append(found)
        return replace(graph, nodes=tuple(nodes))

    def _numbered(self, name: str) -> str:
        """The name with a number that no other operator put in has."""
        self._names[name] = self._names.get(name, 0) + 1
        return f"{name}:{self._names[name]}"

    def node(self, name: str, op_type: str) -> OperatorNode | None:
        """The node that makes a value, if it is of that type."""
        found = self._made.get(name)
        return found if found is not None and found.op_type == op_type else None

    def pairs(self, node: OperatorNode) -> Iterator[tuple[str, str]]:
        """The two inputs in both orders."""
        a, b = node.inputs
        yield a, b
        yield b, a

    def number(self, name: str) -> float | None:
        """A constant of one element."""
        array = self.parameters.get(name)
        return float(array.item()) if array is not None and array.size == 1 else None

    def is_number(self, name: str, value: float) -> bool:
        """Whether a value is that constant, up to float32's rounding."""
        found = self.number(name)
        return found is not None and math.isclose(found, value, rel_tol=1e-6)

    def axes(self, node: OperatorNode) -> tuple[int, ...] | None:
        """The axes of a reduction that keeps them."""
        array = self.parameters.get(node.inputs[1])
        return tuple(map(int, array)) if array is not None and node.attributes.get("keepdims") == 1 else None

    def scaled(self, name: str, factor: float) -> str | None:
        """`x` where the value is factor · x."""
        node = self.node(name, "Mul")
        return next((x for number, x in self.pairs(node) if self.is_number(number, factor)), None) if node else None

    def shifted(self, name: str, by: float) -> str | None:
        """`x` where the value is x + by."""
        node = self.node(name, "Add")
        return next((x for number, x in self.pairs(node) if self.is_number(number, by)), None) if node else None


def _mean(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """Σ x / n."""
    total, count = f.node(node.inputs[0], "ReduceSum"), f.number(node.inputs[1])
    axes = f.axes(total) if total else None
    if total is None or axes is None or count is None or total.inputs[0] not in f.shapes:
        return None
    sizes = [f.shapes[total.inputs[0]][axis] for axis in axes]
    is_mean = all(isinstance(size, int) for size in sizes) and math.prod(sizes) == count
    return _instead(node, "ReduceMean", total.inputs, keepdims=1) if is_mean else None


def _softmax(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """exp(x - max x) / Σ exp(x - max x)."""
    powers, total = f.node(node.inputs[0], "Exp"), f.node(node.inputs[1], "ReduceSum")
    if powers is None or total is None or total.inputs[0] != powers.outputs[0]:
        return None
    found = _less_maximum(f, powers.inputs[0])
    if found is None or f.axes(total) != (found[1],):
        return None
    return _instead(node, "Softmax", (found[0],), axis=found[1])


def _log_softmax(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """(x - max x) - log Σ exp(x - max x)."""
    logarithm = f.node(node.inputs[1], "Log")
    total = f.node(logarithm.inputs[0], "ReduceSum") if logarithm else None
    powers = f.node(total.inputs[0], "Exp") if total else None
    if total is None or powers is None or powers.inputs[0] != node.inputs[0]:
        return None
    found = _less_maximum(f, node.inputs[0])
    if found is None or f.axes(total) != (found[1],):
        return None
    return _instead(node, "LogSoftmax", (found[0],), axis=found[1])


def _less_maximum(f: _Fusing, name: str) -> tuple[str, int] | None:
    """`x` and the axis where the value is x - max x."""
    difference = f.node(name, "Sub")
    highest = f.node(difference.inputs[1], "ReduceMax") if difference else None
    axes = f.axes(highest) if highest else None
    if difference is None or highest is None or highest.inputs[0] != difference.inputs[0] or axes is None or len(axes) != 1:
        return None
    return difference.inputs[0], axes[0]


def _layer_norm(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """standard · scale, with the last axis standardised."""
    for standard, scale in f.pairs(node):
        found = _standardised(f, standard)
        if found is not None and scale in f.parameters and f.parameters[scale].shape == f.shapes[found[0]][-1:]:
            return _instead(node, "LayerNormalization", (found[0], scale), axis=-1, epsilon=found[1])
    return None


def _with_bias(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    for norm, bias in f.pairs(node):
        found = f.node(norm, "LayerNormalization")
        if found is None or len(found.inputs) != 2 or bias not in f.parameters:
            continue
        if f.parameters[bias].shape == f.parameters[found.inputs[1]].shape:
            return _instead(node, "LayerNormalization", (*found.inputs, bias), **found.attributes)
    return None


def _standardised(f: _Fusing, name: str) -> tuple[str, float] | None:
    """`x` and epsilon where the value is (x - mean x) / √(mean (x - mean x)² + epsilon) over the last axis."""
    product = f.node(name, "Mul")
    for centred, factor in f.pairs(product) if product else ():
        difference, reciprocal = f.node(centred, "Sub"), f.node(factor, "Reciprocal")
        mean = f.node(difference.inputs[1], "ReduceMean") if difference else None
        root = f.node(reciprocal.inputs[0], "Sqrt") if reciprocal else None
        widened = f.node(root.inputs[0], "Add") if root else None
        if difference is None or mean is None or widened is None or mean.inputs[0] != difference.inputs[0]:
            continue
        for variance, epsilon in f.pairs(widened):
            square = f.node(variance, "ReduceMean")
            number = f.number(epsilon)
            last = (len(f.shapes[mean.inputs[0]]) - 1,)
            if square is None or number is None or not f.axes(square) == f.axes(mean) == last:
                continue
            if (multiplied := f.node(square.inputs[0], "Mul")) and multiplied.inputs == (centred, centred):
                return mean.inputs[0], number
    return None


def _gelu(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """x / 2 · (1 - erf(-x / √2)), from opset 20 on."""
    for half, rest in f.pairs(node) if f.opset >= 20 else ():
        x, difference = f.scaled(half, 0.5), f.node(rest, "Sub")
        erf = f.node(difference.inputs[1], "Erf") if difference and f.is_number(difference.inputs[0], 1) else None
        negative = f.scaled(erf.inputs[0], math.sqrt(0.5)) if erf else None
        negation = f.node(negative, "Neg") if negative else None
        if x is not None and negation is not None and negation.inputs[0] == x:
            return _instead(node, "Gelu", (x,))
    return None


def _gelu_by_tanh(f: _Fusing, node: OperatorNode) -> OperatorNode | None:
    """x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, from opset 20 on."""
    for x, rest in f.pairs(node) if f.opset >= 20 else ():
        doubled = f.scaled(rest, 0.5)
        shifted = f.shifted(doubled, 1) if doubled else None
        tanh = f.node(shifted, "Tanh") if shifted else None
        inner = f.scaled(tanh.inputs[0], math.sqrt(2 / math.pi)) if tanh else None
        total = f.node(inner, "Add") if inner else None
        for y, cube in f.pairs(total) if total else ():
            third = f.scaled(cube, 0.044715)
            power = f.node(third, "Pow") if third else None
            if power and power.inputs[0] == y and f.is_number(power.inputs[1], 3) and _same_where_it_counts(f, x, y):
                return _instead(node, "Gelu", (x,), approximate="tanh")
    return None


_SATURATED = 6.0
"""From here on 1 + tanh(...) is 0 or 2 to float32's precision."""


def _same_where_it_counts(f: _Fusing, x: str, y: str) -> bool:
    """Whether `y` is `x`, or `x` limited to where tanh does not saturate."""
    upper = f.node(y, "Min")
    lower = f.node(upper.inputs[0], "Max") if upper else None
    if upper is None or lower is None:
        return x == y
    low, high = f.number(lower.inputs[1]), f.number(upper.inputs[1])
    wide = low is not None and high is not None and low <= -_SATURATED and high >= _SATURATED
    return lower.inputs[0] == x and wide


def _instead(node: OperatorNode, op_type: str, inputs: tuple[str, ...], **attributes: Any) -> OperatorNode:
    """The operator in the place of another, whose name tells where it is."""
    path, _, _ = node.name.rpartition("/")
    return replace(node, op_type=op_type, inputs=inputs, attributes=attributes, name=f"{path}/{op_type}" if path else op_type)


_PATTERNS: Mapping[str, tuple[Callable[[_Fusing, OperatorNode], OperatorNode | None], ...]] = {
    "Add": (_with_bias,),
    "Div": (_mean, _softmax),
    "Mul": (_layer_norm, _gelu, _gelu_by_tanh),
    "Sub": (_log_softmax,),
}
