"""Models as Python classes: attributes are nodes, and name each other without a string."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from zerfoo_jax.core.errors import GraphError, Problem
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.writing.builder import GraphBuilder
from zerfoo_jax.graph.writing.handle import Handle, Part, Wire, Wires


def declare(shape: Sequence[int | None] | None = None, dtype: str | None = None, *, name: str | None = None) -> Handle:
    """An input of a `Declared` model, called as its attribute unless it has a `name`; the rest as in `Input`."""
    return Handle(Part(Input("", tuple(shape) if isinstance(shape, Sequence) else shape, dtype), name=name))


def node(layer: Layer | Handle, *inputs: Wire, name: str | None = None) -> Handle:
    """A node of a `Declared` model, called as its attribute unless it has a `name`.

    Another node in place of the layer means that node's layer again, with the same parameters. An input that is text names
    a node that stands further down.
    """
    return Handle(Part(layer, inputs, name))


class Declared:
    """Base of classes whose attributes are the inputs and nodes of a graph, in their order; `model` is the graph.

    >>> from zerfoo_jax.layers import Activation, Add, Dense
    >>> class Twice(Declared):
    ...     x = declare((None, 4))
    ...     hidden = node(Dense(4), x)
    ...     relu = node(Activation("relu"), hidden)
    ...     again = node(hidden, relu)    # the same layer with the same parameters
    ...     merged = node(Add(), relu, again)
    ...     outputs = merged
    >>> Twice.model
    Graph(inputs=(Input(name='x', shape=(None, 4), dtype='float32'),), nodes=(...), outputs=('merged',))

    `outputs` is a node or a tuple of several. A class may instead set `model` to a layer of any kind. Names that are no
    attributes are given: `first = node(Dense(4), x, name="0")`. Raises `GraphError`, when the class is made, for every fault of
    its wiring; shapes are checked with the model, as everywhere.
    """

    outputs: ClassVar[Wires]
    model: ClassVar[Layer]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        try:
            cls.model = _model(cls)
        except GraphError as error:
            raise GraphError([problem.under(cls.__name__) for problem in error.problems]) from error


def _model(cls: type[Declared]) -> Layer:
    if cls.__bases__ != (Declared,):
        raise GraphError("a class of nodes extends Declared alone", fix="put the `model` of another class into a node")
    own = vars(cls)
    handles = {name: value for name, value in own.items() if isinstance(value, Handle)}
    if "model" in own:
        return _whole(own["model"], [*handles, *(name for name in ("outputs",) if name in own)])
    if "outputs" not in own:
        raise GraphError("the class has no outputs", fix="outputs = its last node, or a tuple of several")
    outputs: Wires = own["outputs"]
    ends = (outputs,) if isinstance(outputs, Handle | str) else outputs
    if not isinstance(ends, tuple | list) or not all(isinstance(end, Handle | str) for end in ends):
        raise GraphError(f"outputs = {outputs!r} should be a node or a tuple of nodes", place="outputs")
    for name, handle in handles.items():
        handle.part.name = handle.part.name or name
    builder = GraphBuilder()
    for part in _written([*handles.values(), *(end for end in ends if isinstance(end, Handle))]):
        _place(builder, part)
    return builder.graph(outputs)


def _whole(model: object, others: list[str]) -> Layer:
    """The layer that is a whole model by itself."""
    if not isinstance(model, Layer):
        raise GraphError(
            f"model = {model!r} is no layer", place="model", fix='call a node of that name: node(..., name="model")'
        )
    if others:
        raise GraphError(f"a class has a model or nodes, and here are both: {', '.join(others)}", fix="put it into a node")
    return model


def _written(handles: Iterable[Handle]) -> list[Part]:
    """Everything that these handles rest on, in the order in which it was written."""
    found: dict[int, Part] = {}
    waiting = list(handles)
    while waiting:
        part = waiting.pop().part
        if part.number not in found:
            found[part.number] = part
            behind = (*part.inputs, part.made_of) if part.owner is None else ()
            waiting += [wire for wire in behind if isinstance(wire, Handle)]
    return [found[number] for number in sorted(found)]


def _place(builder: GraphBuilder, part: Part) -> None:
    if part.owner is not None:
        raise GraphError(f"{part.name!r} belongs to another model", place=part.name or "", fix="use this one's own nodes")
    if part.name is None:
        raise GraphError([Problem(f"a node has no name: {part.made_of!r}", fix="make it an attribute, or give it name=...")])
    if isinstance(part.made_of, Input):
        part.made_of = Input(part.name, part.made_of.shape, part.made_of.dtype)
    builder.place(part, part.name)
