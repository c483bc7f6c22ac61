"""A network's evaluation as a graph of operators, its parameters under their own names."""

from collections.abc import Mapping
from typing import Any

import jax

from zerfoo_jax.core.types import Tree
from zerfoo_jax.formats.dynamic import dynamic_specs, input_names
from zerfoo_jax.formats.lowering.function import OPSET, graph_of_function
from zerfoo_jax.formats.operators.graph import OperatorGraph
from zerfoo_jax.graph import Graph
from zerfoo_jax.graph.editing.network import Network


def graph_of_network(network: Network, *, batch: int | None = None, opset: int = OPSET) -> OperatorGraph:
    """The operators of a network's evaluation, for any batch size or for `batch` alone.

    Parameters and state keep their names, parts joined by dots. Raises one `FormatError` with all that operators cannot do,
    each with its place in the model.

    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
    >>> graph = graph_of_network(network)
    >>> [node.op_type for node in graph.nodes], sorted(graph.parameters)
    (['MatMul', 'Add'], ['bias', 'kernel'])
    """
    found, tree = jax.tree_util.tree_flatten_with_path((network.params, network.state))
    names = _names([_dotted(path[1:]) for path, _ in found])

    def evaluate(arrays: Mapping[str, Any], *inputs: Any) -> Tree:
        params, state = jax.tree.unflatten(tree, [arrays[name] for name in names])
        return network.model.apply(params, state, *inputs)[0]

    return graph_of_function(
        evaluate,
        *dynamic_specs(network, batch),
        parameters=dict(zip(names, (array for _, array in found), strict=True)),
        inputs=input_names(network),
        outputs=_output_names(network),
        opset=opset,
    )


def _dotted(path: tuple[Any, ...]) -> str:
    parts = (getattr(key, "key", getattr(key, "name", getattr(key, "idx", key))) for key in path)
    return ".".join(map(str, parts))


def _names(given: list[str]) -> list[str]:
    """The names, `state.` in front of those that a parameter has already."""
    found: dict[str, None] = {}
    for name in given:
        found[f"state.{name}" if name in found else name] = None
    return list(found)


def _output_names(network: Network) -> tuple[str, ...]:
    """A graph's own names, where there are as many as outputs; else none."""
    outputs = network.model.outputs if isinstance(network.model, Graph) else ()
    return outputs if len(set(outputs)) == len(outputs) else ()
