"""The module of a model: a class for every graph in it."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
import keyword
from typing import Any

from zerfoo_jax.config.yaml import MAX_DEPTH
from zerfoo_jax.core.errors import ConfigError, GraphError
from zerfoo_jax.core.layer import Layer, expect_layer
from zerfoo_jax.graph import structure
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.model_spec import TABLE
from zerfoo_jax.graph.node import Node, source
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.graph.writing.codegen.imports import Imports
from zerfoo_jax.graph.writing.codegen.layout import Expression, Group, call, lines
from zerfoo_jax.graph.writing.codegen.literals import literal
from zerfoo_jax.graph.writing.codegen.names import attributes, class_for

GRAPH = "zerfoo_jax.graph"

Path = tuple[tuple[str, ...], ...]
"""The places of a graph in its model, node by node: names, and below each the fields that lead further in."""


def to_python(model: Layer, name: str = "Model") -> str:
    """The source of a module whose class `name` has an equal model.

    A graph is a class whose attributes are its nodes, the graphs in it classes of their own, any other layer an expression.
    Options at their defaults are left out; the text is as ruff formats it for lines of 88 and of 128 characters. Raises
    `GraphError` for a graph that is wired wrongly, and `ConfigError` for a name that is none and for what has no source: a
    layer whose class cannot be imported, a field that holds no plain value, layers nested over 64 deep.

    >>> from zerfoo_jax.graph import graph_of
    >>> from zerfoo_jax.layers import Activation, Dense
    >>> print(to_python(graph_of({"hidden": Dense(8, use_bias=False), "relu": Activation("relu")}), "Small"))
    \"""`Small.model` is the model.\"""
    <BLANKLINE>
    from zerfoo_jax.graph import Declared, declare, node
    from zerfoo_jax.layers import Activation, Dense
    <BLANKLINE>
    <BLANKLINE>
    class Small(Declared):
        inputs = declare()
        hidden = node(Dense(8, use_bias=False), inputs)
        relu = node(Activation("relu"), hidden)
        outputs = relu
    <BLANKLINE>
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name in TABLE or name.startswith("__"):
        raise ConfigError(f"{name!r} cannot name the class of a model", fix="use a name such as Digits")
    expect_layer(model)
    module = _Module(name)
    try:
        module.add(model, name, ())
    except RecursionError as error:
        raise ConfigError("the layers are nested too deep", fix="use Stack or a graph") from error
    blocks = [[f'"""`{name}.model` is the model."""', "", *module.imports.lines()], *module.classes]
    return "\n\n\n".join("\n".join(block) for block in blocks) + "\n"


class _Module:
    """Collects the classes of a module, those that others need first."""

    def __init__(self, name: str):
        self.classes: list[list[str]] = []
        self._names = {name}
        self.imports = Imports(self._names)
        self._named: dict[Graph, str] = {}

    def add(self, model: Layer, name: str, path: Path) -> None:
        """Writes the class of a model."""
        base = self.imports.add(GRAPH, "Declared")
        body = list(self._nodes(model, path) if isinstance(model, Graph) else self._single(model, path))
        self.classes.append([f"class {name}({base}):", *body])

    def _single(self, model: Layer, path: Path) -> Iterator[str]:
        yield from lines(self._expression(model, (*path, ())), 4, "model = ")

    def _nodes(self, graph: Graph, path: Path) -> Iterator[str]:
        problems = structure.problems(graph.input_names, graph.nodes, graph.outputs, len(graph.inputs))
        if problems:
            raise GraphError([problem.under("/".join(word for place in path for word in place)) for problem in problems])
        known = _Known(attributes([*graph.input_names, *(node.name for node in graph.nodes)]))
        for declared in graph.declared():
            yield from known.define(declared.name, self._input(declared))
        for node in graph.nodes:
            yield from known.define(node.name, self._node(node, known, path), node.layer)
        outputs: list[Expression] = [known.wire(wire) for wire in graph.outputs]
        together = outputs[0] if len(outputs) == 1 else Group("(", tuple(("", wire) for wire in outputs), ")")
        yield from lines(together, 4, "outputs = ")

    def _input(self, declared: Input) -> Group:
        declare = self.imports.add(GRAPH, "declare")
        if declared.shape is None:
            return call(declare)
        dtype = [] if declared.dtype == "float32" else [literal(declared.dtype)]
        return call(declare, self._value(declared.shape, ()), *dtype)

    def _node(self, node: Node, known: "_Known", path: Path) -> Group:
        shared = known.owner(node.layer.node) if isinstance(node.layer, Shared) else None
        layer = shared or self._expression(node.layer, (*path, (node.name,)))
        return call(self.imports.add(GRAPH, "node"), layer, *map(known.wire, node.inputs))

    def _expression(self, value: Any, path: Path) -> Expression:
        """The expression that makes a layer, or any other dataclass in a field of one."""
        if sum(map(len, path)) > MAX_DEPTH:  # Python reads no more than 200 brackets inside each other
            raise ConfigError(f"the layers are nested over {MAX_DEPTH} deep", fix="use Stack or a graph")
        if isinstance(value, Graph):
            return f"{self._class_of(value, path)}.model"
        assert is_dataclass(value) and not isinstance(value, type)
        positional: list[Expression] = []
        keywords: dict[str, Expression] = {}
        for field in fields(value):
            given = getattr(value, field.name)
            if _is_required(field) and not field.kw_only:
                positional.append(self._value(given, (*path[:-1], (*path[-1], field.name))))
            elif field.init and (_is_required(field) or given != _default(field)):
                keywords[field.name] = self._value(given, (*path[:-1], (*path[-1], field.name)))
        return call(self.imports.of_class(type(value)), *positional, **keywords)

    def _class_of(self, graph: Graph, path: Path) -> str:
        if graph not in self._named:
            taken = {*self._names, *self.imports.names, *TABLE, "Declared"}
            name = class_for([place for place in path if place] or [("graph",)], taken)
            self._names.add(name)
            self.add(graph, name, path)
            self._named[graph] = name
        return self._named[graph]

    def _value(self, value: Any, path: Path) -> Expression:
        if is_dataclass(value) and not isinstance(value, type):
            return self._expression(value, path)
        if not isinstance(value, tuple):
            return literal(value)
        if _was_mapping(value):
            return Group("{", tuple((f"{literal(name)}: ", self._value(item, path)) for name, item in value), "}")
        inside = [(*path[:-1], (*path[-1], str(i))) if path else path for i in range(len(value))]
        return Group("(", tuple(("", self._value(item, at)) for item, at in zip(value, inside, strict=True)), ")")


class _Known:
    """The nodes of a class that stand above a line."""

    def __init__(self, attributes: dict[str, str]):
        self._attributes = attributes
        self._layers: dict[str, Layer | None] = {}

    def define(self, name: str, made: Group, layer: Layer | None = None) -> Iterator[str]:
        """The lines that give a node or input its attribute."""
        self._layers[name] = layer
        attribute = self._attributes[name]
        named = made if attribute == name else Group(made.opening, (*made.items, ("name=", literal(name))), made.closing)
        yield from lines(named, 4, f"{attribute} = ")

    def wire(self, wire: str) -> Expression:
        """A value by its attribute; by its name where its node stands further down."""
        name, index = source(wire)
        if name not in self._layers or wire not in (name, f"{name}:{index}"):
            return literal(wire)
        return self._attributes[name] if index is None else f"{self._attributes[name]}[{index}]"

    def owner(self, name: str) -> str | None:
        """The attribute of a node with a layer to share; None where it stands further down."""
        return self._attributes[name] if name in self._layers else None


def _is_required(field: Field[Any]) -> bool:
    return field.init and field.default is MISSING and field.default_factory is MISSING


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _was_mapping(value: tuple[Any, ...]) -> bool:
    return bool(value) and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value)
