"""Sequences whose items are known by place, as the arrays that they hold: networks are of arrays alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode
from zerfoo_jax.formats.operators.wiring import captured_by


def without_sequences(graph: OperatorGraph) -> OperatorGraph:
    """The graph with items taken from sequences as parts of arrays, and sequences that are joined as Concat.

    That is done where the place of an item and the sizes of parts are constants, as for what exporters make of `split`,
    `unbind` and `stack`; all other operators on sequences stay. Sequences that nobody uses then are left out.
    """
    if not any("Sequence" in node.op_type for node in graph.nodes):
        return graph
    return _Items(graph).replaced()


@dataclass(frozen=True)
class _Cut:
    """An array cut along an axis into parts of given sizes or of one size; without the axis where that is None."""

    array: str
    sizes: tuple[int, ...] | int | None
    axis: int

    def __len__(self) -> int:
        """The number of parts, 0 where only the array's size tells."""
        return len(self.sizes) if isinstance(self.sizes, tuple) else 0


@dataclass(frozen=True, eq=False)
class _Items:
    graph: OperatorGraph
    sequences: dict[str, tuple[str, ...] | _Cut] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    """New constants."""

    def replaced(self) -> OperatorGraph:
        arrays = {**self.graph.parameters, **_constants(self.graph.nodes)}
        constants = {name: array for name, array in arrays.items() if array.dtype.kind == "i"}
        nodes = tuple(new for node in self.graph.nodes for new in self._node(node, constants))
        return replace(self.graph, nodes=self._used(nodes), parameters={**self.graph.parameters, **self.arrays})

    def _used(self, nodes: Sequence[OperatorNode]) -> tuple[OperatorNode, ...]:
        """The nodes without those whose sequences nobody uses."""
        used, kept = {value.name for value in self.graph.outputs}, []
        for node in reversed(nodes):
            if not set(node.outputs) <= self.sequences.keys() - used:
                used |= {*node.inputs, *captured_by(node)}
                kept.append(node)
        return tuple(reversed(kept))

    def _node(self, node: OperatorNode, constants: Mapping[str, np.ndarray]) -> Iterator[OperatorNode]:
        kind, inputs = node.op_type if not node.domain else "", node.inputs
        of = self.sequences.get(inputs[0]) if inputs else None
        place = constants.get(inputs[1]) if len(inputs) == 2 else None
        if kind in ("SequenceEmpty", "SequenceConstruct"):
            self.sequences[node.outputs[0]] = inputs
        elif kind == "SequenceInsert" and len(inputs) == 2 and isinstance(of, tuple):
            self.sequences[node.outputs[0]] = (*of, inputs[1])
        elif kind == "SplitToSequence" and (len(inputs) == 1 or place is not None):
            self.sequences[node.outputs[0]] = _cut(node, place)
        elif kind == "SequenceAt" and place is not None and place.size == 1 and of is not None:
            item = self._item(node, of, int(place.reshape(())))
            if item is not None:
                yield item
                return
        elif kind == "ConcatFromSequence" and isinstance(of, tuple) and of:
            yield from self._joined(node, of)
            return
        yield node

    def _item(self, node: OperatorNode, of: tuple[str, ...] | _Cut, place: int) -> OperatorNode | None:
        """The node that gives one item, if its place is in the sequence as far as that is known."""
        count = len(of)
        if count:
            if not -count <= place < count:
                return None
            place %= count
        if not isinstance(of, _Cut):
            return replace(node, op_type="Identity", inputs=(of[place],), attributes={})
        if of.sizes is None:
            return replace(node, op_type="Gather", inputs=(of.array, self._new(node, place)), attributes={"axis": of.axis})
        if place < 0:
            return None
        start = sum(of.sizes[:place]) if isinstance(of.sizes, tuple) else of.sizes * place
        end = start + (of.sizes[place] if isinstance(of.sizes, tuple) else of.sizes)
        bounds = (self._new(node, [number]) for number in (start, end, of.axis))
        return replace(node, op_type="Slice", inputs=(of.array, *bounds), attributes={})

    def _joined(self, node: OperatorNode, items: tuple[str, ...]) -> Iterator[OperatorNode]:
        """Concat, of items with one more axis where a new one is asked for."""
        axis = node.attributes["axis"]
        if node.attributes.get("new_axis"):
            names = [f"{node.outputs[0]}/item {i}" for i in range(len(items))]
            for item, name in zip(items, names, strict=True):
                yield self._unsqueezed(node, item, name)
            items = tuple(names)
        yield replace(node, op_type="Concat", inputs=items, attributes={"axis": axis})

    def _unsqueezed(self, node: OperatorNode, item: str, name: str) -> OperatorNode:
        axis = node.attributes["axis"]
        if self.graph.opsets.get("", 1) < 13:
            return OperatorNode("Unsqueeze", (item,), (name,), {"axes": (axis,)}, node.name and f"{node.name}/axis")
        return OperatorNode("Unsqueeze", (item, self._new(node, [axis])), (name,), {}, node.name and f"{node.name}/axis")

    def _new(self, node: OperatorNode, value: Any) -> str:
        name = f"{node.outputs[0]}/constant {len(self.arrays)}"
        self.arrays[name] = np.asarray(value, np.int64)
        return name


def _cut(node: OperatorNode, split: np.ndarray | None) -> _Cut:
    axis: Any = node.attributes.get("axis", 0)
    if split is None:
        return _Cut(node.inputs[0], 1 if node.attributes.get("keepdims", 1) else None, axis)
    return _Cut(node.inputs[0], tuple(split.tolist()) if split.ndim else int(split), axis)


def _constants(nodes: Sequence[OperatorNode]) -> dict[str, np.ndarray]:
    """What Constant operators give."""
    given = [node for node in nodes if node.op_type == "Constant" and not node.domain]
    return {node.outputs[0]: np.asarray(value) for node in given for value in node.attributes.values()}
