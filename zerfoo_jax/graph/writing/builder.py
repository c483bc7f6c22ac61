"""Graphs written node by node in Python, and run while they are written, if wanted."""

from collections import Counter
from collections.abc import Sequence

from zerfoo_jax.core.errors import GraphError, Problem, ShapeError, brief, nearest
from zerfoo_jax.core.layer import Layer, walk
from zerfoo_jax.core.types import Array, Params, State, Tree, spec_of
from zerfoo_jax.graph import structure
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.node import Node, source
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.graph.spec import MAX_NODES
from zerfoo_jax.graph.unknown_input import problems_for_any_input
from zerfoo_jax.graph.writing.built import BuiltGraph
from zerfoo_jax.graph.writing.handle import Handle, Part, Wire, Wires
from zerfoo_jax.graph.writing.values import Values
from zerfoo_jax.layers.composites.combinators import kind_of


class GraphBuilder:
    """Collects inputs and nodes, and builds the graph of those that the outputs name.

    >>> from zerfoo_jax.layers import Activation, Add, Dense
    >>> builder = GraphBuilder()
    >>> x = builder.input("x", (None, 4))
    >>> hidden = builder.add(Dense(4), x)
    >>> again = builder.add(hidden, builder.add(Activation("relu"), hidden))    # the same layer, the same parameters
    >>> built = builder.build(builder.add(Add(), x, again, name="sum"))
    >>> [(node.name, node.inputs) for node in built.graph.nodes]
    [('dense_0', ('x',)), ('activation_0', ('dense_0',)), ('dense_1', ('activation_0',)), ('sum', ('x', 'dense_1'))]

    With a `key` and a `value` for every input, each node runs as soon as it is added, so that a mistake shows where it was
    made. Its parameters are those that `init(key, ...)` of the built graph gives.

    >>> import jax
    >>> builder = GraphBuilder(jax.random.key(0))
    >>> builder.add(Dense(3), builder.input("x", value=jax.numpy.ones((2, 4)))).value.shape
    (2, 3)
    """

    def __init__(self, key: Array | None = None):
        self._parts: dict[str, Part] = {}
        self._nodes = 0
        self._numbers: Counter[str] = Counter()
        self._values = None if key is None else Values(key)

    @classmethod
    def of(cls, graph: Graph) -> "GraphBuilder":
        """A builder that holds a graph's inputs and nodes: `GraphBuilder.of(graph).build(graph.outputs).graph == graph`."""
        builder = cls()
        for declared in graph.declared():
            builder.place(Part(declared), declared.name)
        for node in graph.nodes:
            builder.add(node.layer, *node.inputs, name=node.name)
        return builder

    @property
    def params(self) -> Params:
        """The parameters of the nodes that have run."""
        return self._values.params if self._values else {}

    @property
    def state(self) -> State:
        """The state of the nodes that have run."""
        return self._values.state if self._values else {}

    def __getitem__(self, name: str) -> Handle:
        if name not in self._parts:
            raise GraphError(f"no input or node {name!r}", fix=nearest(name, self._parts))
        return Handle(self._parts[name])

    def input(
        self, name: str, shape: Sequence[int | None] | None = None, dtype: str | None = None, *, value: Tree = None
    ) -> Handle:
        """A new input; `shape` and `dtype` as in `Input`. With a `value`, what it feeds is computed at once.

        Raises `GraphError` for a value that does not fit what is declared, or where the builder has no key.
        """
        declared = Input(name, tuple(shape) if isinstance(shape, Sequence) else shape, dtype)
        if value is not None:
            if self._values is None:
                raise GraphError("a value needs random parameters to run with", place=name, fix="use GraphBuilder(key=...)")
            misfit = declared.misfits(spec_of(value))
            if misfit:
                raise GraphError([misfit])
        return self.place(Part(declared, value=value), name)

    def add(self, layer: Layer | Handle, *inputs: Wire, name: str | None = None) -> Handle:
        """A new node. A handle in place of the layer runs that node's layer again, with the same parameters.

        Nodes without a name are called as in a `Sequential`: `dense_0`, `dense_1`, ... An input that is text names a node
        that is added later. Raises `GraphError` for a handle of another builder and for a name in use; while values are
        computed, also what the layer raises.
        """
        return self.place(Part(layer, inputs), name)

    def place(self, part: Part, name: str | None) -> Handle:
        """Takes in an input or node that has been written, under this name."""
        if not isinstance(part.made_of, Input | Layer | Handle):
            cause = f"a node is made of a layer or a handle, got {brief(part.made_of)}"
            raise GraphError(cause, place=name or "", fix="of a class of nodes, use its `model`")
        part.name = name or self._default_name(part)
        if part.name in self._parts:
            raise GraphError(f"the name {part.name!r} is used twice", place=part.name, fix="give it a name of its own")
        for wire in part.inputs:
            self._expect_own(wire, part.name)
        if isinstance(part.made_of, Handle):
            self._expect_own(part.made_of, part.name)
            part.made_of = Shared(self._owner(part.made_of.name, part.name))
        if isinstance(part.made_of, Layer):
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise GraphError(f"over {MAX_NODES} nodes", place=part.name, fix="repeat blocks with Stack")
            part.value = self._value(part.name, part.made_of, part.inputs)
        part.owner = self
        self._parts[part.name] = part
        return Handle(part)

    def graph(self, outputs: Wires) -> Graph:
        """The graph that gives these outputs, after a look at its wiring alone: it may declare shapes that do not fit."""
        wires = (outputs,) if isinstance(outputs, str) or not isinstance(outputs, Sequence) else tuple(outputs)
        for wire in wires:
            self._expect_own(wire, "")
        layers = [(name, part.made_of, part.inputs) for name, part in self._parts.items()]
        nodes = tuple(Node(name, made, tuple(map(_text, given))) for name, made, given in layers if isinstance(made, Layer))
        graph = Graph(tuple(made for _, made, _ in layers if isinstance(made, Input)), nodes, tuple(map(_text, wires)))
        problems = structure.problems(graph.input_names, nodes, graph.outputs, len(graph.inputs))
        if problems:
            raise GraphError(problems)
        return graph

    def build(self, outputs: Wires) -> BuiltGraph:
        """The checked graph of all that was added, with these outputs, and its forward and backward pass.

        Raises one `GraphError` with every fault of the wiring, or one `ShapeError` with every fault of shapes and dtypes:
        against what the inputs declare or their values have, and where there is neither, those that no input could mend.
        """
        graph = self.graph(outputs)
        problems = self._misfits(graph)
        if problems:
            raise ShapeError(problems)
        return BuiltGraph(graph)

    def _misfits(self, graph: Graph) -> list[Problem]:
        values = [self._parts[name].value for name in graph.input_names]
        if values and all(value is not None for value in values):
            return walk(graph, *map(spec_of, values)).problems
        return problems_for_any_input(graph)

    def _default_name(self, part: Part) -> str:
        made = part.made_of.part.made_of if isinstance(part.made_of, Handle) else part.made_of
        layer = self._parts[made.node].made_of if isinstance(made, Shared) and made.node in self._parts else made
        kind = kind_of(layer) if isinstance(layer, Layer) else "input"
        while True:
            name = f"{kind}_{self._numbers[kind]}"
            self._numbers[kind] += 1
            if name not in self._parts:
                return name

    def _expect_own(self, wire: object, place: str) -> None:
        if not isinstance(wire, Handle | str):
            cause = f"a value in a graph is a handle or its name, got {brief(wire)}"
            raise GraphError(cause, place=place, fix="give each by itself, as `input` or `add` made it")
        if isinstance(wire, Handle) and wire.part.owner is not self:
            raise GraphError(
                f"{wire.wire or 'a node'!r} belongs to another model", place=place, fix="use this one's own handles"
            )

    def _owner(self, name: str, place: str) -> str:
        """The node whose parameters the node of this name has."""
        made = self._parts[name].made_of
        if isinstance(made, Input):
            raise GraphError(f"{name!r} is an input and has no layer", place=place, fix="give a layer, or a node's handle")
        return made.node if isinstance(made, Shared) else name

    def _value(self, name: str, layer: Layer, inputs: tuple[Wire, ...]) -> Tree:
        """What a node gives; None where its inputs have no values."""
        handles = [wire if isinstance(wire, Handle) else self._named(wire) for wire in inputs]
        if self._values is None or not all(handle and handle.part.value is not None for handle in handles):
            return None
        owner = layer.node if isinstance(layer, Shared) and layer.node in self._parts else name
        shared = self._parts[owner].made_of if owner != name else layer
        assert isinstance(shared, Layer)
        return self._values.of(name, shared, owner, [handle.value for handle in handles if handle])

    def _named(self, wire: str) -> Handle | None:
        name, index = source(wire)
        return Handle(self._parts[name], index) if name in self._parts else None


def _text(wire: Wire) -> str:
    return wire.wire if isinstance(wire, Handle) else wire
