"""Models as data: graphs of named layers, from Python and from mappings, checked as a whole before any data."""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.layer import Layer, Walk, walk
from zerfoo_jax.core.layer import check as check
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import structure
from zerfoo_jax.graph.graph import Graph as Graph
from zerfoo_jax.graph.graph import Node as Node
from zerfoo_jax.layers import LAYERS

TABLE: Table = {**LAYERS, "Graph": Graph}
"""Everything a `type:` may name."""


def model_from_spec(spec: Mapping[str, Any], *specs: Spec, place: str = "model") -> tuple[Layer, Walk]:
    """The model that a mapping describes, and the walk over it on inputs of these shapes.

    A mapping with `nodes` is a graph, any other a layer. Raises one `ConfigError` that lists every problem, of
    reading, of wiring and of shapes, each with its config path or node path. Without `specs`, shapes are not checked.
    """
    given = {"type": "Graph", **spec} if "nodes" in spec else spec
    problems: list[Problem] = []
    model = read_layer(given, TABLE, place, problems)
    result = walk(model, *specs) if specs else Walk()
    wiring = structure.problems(model, len(model.inputs)) if isinstance(model, Graph) and not specs else []
    problems += result.problems or wiring
    if problems:
        raise ConfigError(problems)
    return model, result


def model_to_spec(model: Layer) -> dict[str, Any]:
    """The mapping that `model_from_spec` turns back into an equal model."""
    return layer_to_spec(model)
