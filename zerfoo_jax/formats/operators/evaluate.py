"""Runs the operators of a graph one after another, and says beforehand which of them cannot run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.core import Tracer
import numpy as np

from zerfoo_jax.core.errors import FormatError, Problem, ZerfooError, brief
from zerfoo_jax.core.fields import check_value, options
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import note_path
from zerfoo_jax.formats.operators.call import call, signature
from zerfoo_jax.formats.operators.graph import Attribute, OperatorGraph, OperatorNode
from zerfoo_jax.formats.operators.table import function_of
from zerfoo_jax.formats.operators.wiring import captured_by, sub_graphs


def check_supported(graph: OperatorGraph, place: str = "") -> None:
    """Raises one `FormatError` that names every operator, input and attribute that there is no function for."""
    problems = list(_unsupported(graph, graph.opsets, place))
    if problems:
        raise FormatError(problems)


def _unsupported(graph: OperatorGraph, opsets: Mapping[str, int], place: str) -> Iterator[Problem]:
    for i, node in enumerate(graph.nodes):
        at = f"{place}, node {node.name or i}" if place else node.name or f"node {i}"
        try:
            function = function_of(node.op_type, node.domain, version_of(node, opsets))
        except FormatError as error:
            yield from (problem.under(at) for problem in error.problems)
            continue
        asked = signature(function)
        if len(node.inputs) > len(asked.inputs) and not asked.variadic:
            yield Problem(f"{node.op_type} takes at most {len(asked.inputs)} inputs, got {len(node.inputs)}", at)
        for name in sorted(node.attributes.keys() - asked.attributes):
            yield Problem(f"{node.op_type} has no attribute {name!r}", at)
        for position in range(asked.needed):
            if position >= len(node.inputs) or not node.inputs[position]:
                yield Problem(f"{node.op_type} lacks its input {asked.inputs[position]!r}", at)
        for name, complaint in _misfits(function, node):
            yield Problem(f"{node.op_type}.{name} = {brief(node.attributes[name])}: {complaint}", at)
        for name in sorted(asked.required - node.attributes.keys()):
            yield Problem(f"{node.op_type} lacks its attribute {name!r}", at)
        for sub in sub_graphs(node):
            yield from _unsupported(sub, opsets, at)


def _misfits(function: Callable[..., Any], node: OperatorNode) -> Iterator[tuple[str, str]]:
    """The attributes that are not of the kind that the function takes, and what is wrong with them."""
    hints = options(function)
    for name, value in node.attributes.items():
        if name in hints and not isinstance(value, OperatorGraph):
            # Which floats there are is of no concern here, and infinity is one.
            _, complaint = check_value(hints[name], 0.0 if isinstance(value, float) else value)
            if complaint:
                yield name, complaint


def version_of(node: OperatorNode, opsets: Mapping[str, int]) -> int:
    """The version of the node's domain; domains that a model does not import are in their first."""
    return opsets.get(node.domain, 1)


def evaluate(
    graph: OperatorGraph,
    inputs: Mapping[str, Any],
    *,
    opsets: Mapping[str, int] | None = None,
    key: jax.Array | None = None,
    train: bool = False,
    concrete: bool = False,
) -> tuple[Any, ...]:
    """The outputs of a graph for the values of its inputs, and of the graph around it, by name.

    With `concrete` every value is a NumPy array as soon as it has been computed, so that shapes may depend on values. Sequences
    are lists, empty optional values None.
    """
    opsets = graph.opsets if opsets is None else opsets
    values: dict[str, Any] = {**inputs, **graph.parameters, "": None}
    for i, node in enumerate(graph.nodes):
        place = node.name or f"{node.op_type}_{i}"
        own_key = None if key is None else fold_in_name(key, place)
        with note_path(place), jax.named_scope(place):
            try:
                around = {name: values[name] for name in captured_by(node)}
                given = [values[name] for name in node.inputs]
                outputs = run_node(node, given, around, opsets, key=own_key, train=train, concrete=concrete)
            except ZerfooError as error:
                raise type(error)([problem.under(place) for problem in error.problems]) from error
        values |= {name: x for name, x in zip(node.outputs, outputs, strict=False) if name}
    return tuple(values[value.name] for value in graph.outputs)


def run_node(
    node: OperatorNode,
    inputs: Sequence[Any],
    around: Mapping[str, Any],
    opsets: Mapping[str, int],
    *,
    concrete: bool = False,
    **mode: Any,
) -> tuple[Any, ...]:
    """The outputs of one node for its inputs; `around` holds what graphs in its attributes use besides, by name."""

    def runnable(value: Attribute) -> Any:
        if isinstance(value, OperatorGraph):
            return as_function(value, around, opsets, concrete=concrete, **mode)
        return tuple(map(runnable, value)) if isinstance(value, tuple) else value

    function = function_of(node.op_type, node.domain, version_of(node, opsets))
    attributes = {name: runnable(value) for name, value in node.attributes.items()}
    outputs = call(function, node.op_type, inputs, attributes, [*around.values()], outputs=len(node.outputs), **mode)
    return tuple(map(made_concrete, outputs)) if concrete else outputs


def as_function(graph: OperatorGraph, outer: Mapping[str, Any], opsets: Mapping[str, int], **mode: Any) -> Any:
    """A sub-graph as a function from its inputs to the tuple of its outputs."""
    names = [value.name for value in graph.inputs]

    def run(*inputs: Any) -> tuple[Any, ...]:
        if len(inputs) != len(names):
            raise FormatError(f"the sub-graph {graph.name!r} takes {len(names)} inputs, got {len(inputs)}")
        return evaluate(graph, {**outer, **dict(zip(names, inputs, strict=True))}, opsets=opsets, **mode)

    return run


def made_concrete(value: Any) -> Any:
    """A value as a NumPy array; sequences and optional values hold or are such. What only has a shape stays as it is."""
    if value is None or isinstance(value, Tracer):
        return value
    return [made_concrete(item) for item in value] if isinstance(value, list) else np.asarray(value)
