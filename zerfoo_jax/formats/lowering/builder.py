"""An operator graph in the making: nodes, parameters, names, and sizes that are known only when the model runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.dimensions import Terms, symbols_of
from zerfoo_jax.formats.lowering.tensor import Dims, Tensor, is_fixed, known, plain
from zerfoo_jax.formats.operators.data_types import NUMBERS
from zerfoo_jax.formats.operators.graph import OperatorGraph, OperatorNode, Value

_SMALL = 2**12
"""Bytes up to which equal constants are one."""


class Book:
    """What all graphs of a model share: names, and the parameters, which stand in the outermost graph."""

    def __init__(self, opset: int):
        self.opset = opset
        self.parameters: dict[str, np.ndarray] = {}
        self.shapes: dict[str, Dims] = {}
        self._taken: dict[str, int] = {}
        self._same: dict[Any, str] = {}

    def unique(self, name: str) -> str:
        """The name, or with a number behind it where it is taken."""
        count = self._taken.get(name)
        self._taken[name] = 0 if count is None else count + 1
        return name if count is None else self.unique(f"{name}_{count + 1}")

    def parameter(self, array: np.ndarray, name: str) -> str:
        """The name under which an array comes with the graph."""
        data = array.__array_interface__["data"][0] if array.size else 0
        same: Any = (data, array.strides, array.shape, array.dtype)
        if array.nbytes <= _SMALL:
            same = (array.tobytes(), array.shape, array.dtype, name)
        if same not in self._same:
            self._same[same] = self.unique(name or "constant")
            self.parameters[self._same[same]] = array
        return self._same[same]


class Builder:
    """Writes the nodes of one graph. `path` is the place in the model that the nodes now written belong to."""

    def __init__(self, book: Book, outer: "Builder | None" = None):
        self.book, self.outer = book, outer
        self.nodes: list[OperatorNode] = []
        self.path = outer.path if outer else ""
        self._sizes: dict[str, tuple[str, int]] = {}
        self._terms: dict[str, Tensor] = {}

    @property
    def outermost(self) -> "Builder":
        """The builder of the model's own graph."""
        return self.outer.outermost if self.outer else self

    def input(self, name: str, shape: Sequence[Any], dtype: Any) -> Tensor:
        """A value that comes from outside; its symbolic sizes are read off it where they are needed."""
        name = self.book.unique(name)
        if not self.outer:
            for axis, size in enumerate(shape):
                if not is_fixed((size,)):
                    self._sizes.setdefault(str(size), (name, axis))
        self.book.shapes[name] = tuple(shape)
        return plain(name, shape, dtype)

    def emit(
        self, op_type: str, inputs: Sequence[Tensor | None], shape: Sequence[Any], dtype: Any, **attributes: Any
    ) -> Tensor:
        """Writes a node with one output of this shape and dtype. Inputs are taken as they are stored."""
        return self.emit_many(op_type, inputs, [(shape, dtype)], **attributes)[0]

    def emit_many(
        self, op_type: str, inputs: Sequence[Tensor | None], outputs: Sequence[tuple[Sequence[Any], Any]], **attributes: Any
    ) -> list[Tensor]:
        """Writes a node with several outputs."""
        name = self.book.unique(f"{self.path}/{op_type}" if self.path else op_type)
        names = [name if len(outputs) == 1 else self.book.unique(f"{name}:{i}") for i in range(len(outputs))]
        given = tuple("" if x is None else self.name_of(x) for x in inputs)
        self.nodes.append(OperatorNode(op_type, given, tuple(names), _without_none(attributes), name))
        self.book.shapes.update({name: tuple(shape) for name, (shape, _) in zip(names, outputs, strict=True)})
        return [plain(name, shape, dtype) for name, (shape, dtype) in zip(names, outputs, strict=True)]

    def name_of(self, x: Tensor) -> str:
        """The name of the stored array, which becomes a parameter where it is known."""
        return x.name if x.array is None else self.book.parameter(x.array, x.name)

    def ints(self, *values: int) -> Tensor:
        """Integers as operators take them for shapes and axes."""
        return known(np.array(values, np.int64))

    def scalar(self, value: Any, dtype: Any) -> Tensor:
        """A constant of no axes."""
        return known(np.asarray(value, dtype))

    # The forms in which rules want their inputs.

    def plain(self, x: Tensor, *, full: bool = True) -> Tensor:
        """The view as an array of its own; unless `full`, with one element along the axes that repeat."""
        x = self.arranged(x, range(x.rank))
        if full and not _same_sizes(x.stored, x.shape):
            if x.array is not None and is_fixed(x.shape) and x.array.size:
                x = known(np.broadcast_to(x.array, x.shape), x.name)
            else:
                x = self.emit("Expand", [x, self.sizes(x.shape)], x.shape, x.dtype)
        return x

    def arranged(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """The axes stored in this order; those that repeat have one element. The result shows them in this order too."""
        wanted = [x.axes[i] for i in order]
        shape = tuple(x.shape[i] for i in order)
        stored = tuple(1 if axis is None else x.stored[axis] for axis in wanted)
        spare = [axis for axis in range(len(x.stored)) if axis not in x.axes]
        if x.array is not None:
            mapped = [axis for axis in wanted if axis is not None]
            array = x.array.transpose(*mapped, *spare).reshape(stored)
            return Tensor(x.name, shape, x.dtype, stored, tuple(range(len(order))), array)
        if not _fits(wanted, spare, len(x.stored)):
            x = self._moved(x, wanted, spare, stored)
        return Tensor(x.name, shape, x.dtype, stored, tuple(range(len(order))))

    def _moved(self, x: Tensor, wanted: Sequence[int | None], spare: Sequence[int], stored: Sequence[Any]) -> Tensor:
        """Writes what brings the stored axes into the wanted order: a Transpose, a Squeeze, an Unsqueeze."""
        mapped = [axis for axis in wanted if axis is not None]
        if len(x.stored) == len(wanted):
            unused = iter(spare)
            mapped = [next(unused) if axis is None else axis for axis in wanted]
            return self.emit("Transpose", [x], stored, x.dtype, perm=tuple(mapped))
        if spare:
            x = self.emit("Squeeze", [x, self.ints(*spare)], [x.stored[a] for a in sorted(mapped)], x.dtype)
            ranks = {axis: place for place, axis in enumerate(sorted(mapped))}
            mapped = [ranks[axis] for axis in mapped]
        if mapped != sorted(mapped):
            x = self.emit("Transpose", [x], [x.stored[a] for a in mapped], x.dtype, perm=tuple(mapped))
        missing = [place for place, axis in enumerate(wanted) if axis is None]
        return self.emit("Unsqueeze", [x, self.ints(*missing)], stored, x.dtype) if missing else x

    def cast(self, x: Tensor, dtype: Any) -> Tensor:
        """The same view with another dtype."""
        dtype = np.dtype(dtype)
        if x.dtype == dtype:
            return x
        if x.array is not None:
            return Tensor(x.name, x.shape, dtype, x.stored, x.axes, x.array.astype(dtype))
        made = self.emit("Cast", [x], x.stored, dtype, to=NUMBERS[dtype.name])
        return Tensor(made.name, x.shape, dtype, x.stored, x.axes)

    # Sizes that are known only when the model runs.

    def sizes(self, shape: Sequence[Any]) -> Tensor:
        """A shape as a tensor of integers."""
        if is_fixed(shape):
            return self.ints(*shape)
        parts = [self.ints(size) if is_fixed((size,)) else self.size(size) for size in shape]
        return self.emit("Concat", parts, (len(shape),), np.int64, axis=0) if len(parts) > 1 else parts[0]

    def size(self, size: Any) -> Tensor:
        """A symbolic size as a tensor of one integer, computed once in the outermost graph."""
        if self.outer:
            return self.outermost.size(size)
        if str(size) not in self._terms:
            self._terms[str(size)] = Terms(self.symbol, self.emit).tensor(size)
        return self._terms[str(size)]

    def symbol(self, name: str) -> Tensor:
        """A symbolic size by its name, read off the input that has it."""
        value, axis = self._sizes[name]
        return self.emit("Shape", [plain(value, (None,) * (axis + 1), np.int64)], (1,), np.int64, start=axis, end=axis + 1)

    def reshaped(self, x: Tensor, shape: Sequence[Any]) -> Tensor:
        """The elements of a view in another shape."""
        x = self.plain(x)
        if _same_sizes(x.shape, shape):
            return x
        if x.array is not None and is_fixed(shape):
            return known(x.array.reshape([int(size) for size in shape]), x.name)
        unknown = [size for size in shape if not is_fixed((size,))]
        if len(unknown) == 1 and not any(size == 0 for size in shape if is_fixed((size,))):
            target = self.ints(*(size if is_fixed((size,)) else -1 for size in shape))
        else:
            target = self.sizes(shape)
        return self.emit(
            "Reshape", [x, target], shape, x.dtype, allowzero=1 if any(s == 0 for s in shape if is_fixed((s,))) else None
        )

    # Graphs.

    def graph(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], name: str = "") -> OperatorGraph:
        """The graph of the nodes written so far."""
        return OperatorGraph(
            nodes=tuple(self.nodes),
            inputs=tuple(map(value_of, inputs)),
            outputs=tuple(map(value_of, outputs)),
            parameters={} if self.outer else self.book.parameters,
            opsets={"": self.book.opset},
            name=name,
        )

    def results(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """Plain values that this graph makes itself, each one once, as a graph's outputs have to be."""
        plain = [self.plain(x) for x in xs]
        free = {output for node in self.nodes for output in node.outputs}
        found: list[Tensor] = []
        for x in plain:
            is_own = x.array is None and x.name in free
            found.append(x if is_own else self.emit("Identity", [x], x.shape, x.dtype))
            free -= {x.name}
        return found


def value_of(x: Tensor) -> Value:
    """The declaration of a value."""
    return Value(x.name, x.dtype.name, tuple(int(s) if is_fixed((s,)) else _declared(s) for s in x.stored))


def _declared(size: Any) -> str | None:
    """Names of sizes are kept; of sizes that are computed only that they are there."""
    return str(size) if str(size) in symbols_of(size) else None


def _fits(wanted: Sequence[int | None], spare: Sequence[int], rank: int) -> bool:
    """Whether the stored axes already stand as wanted, spare ones in the place of those that repeat."""
    if len(wanted) != rank:
        return False
    return all(axis == place or (axis is None and place in spare) for place, axis in enumerate(wanted))


def _same_sizes(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(is_fixed((x,)) == is_fixed((y,)) and x == y for x, y in zip(a, b, strict=True))


def _without_none(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
