"""Models of any kind as mappings, checked as a whole before any data."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.layer import Layer, Walk, walk
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.places import config_path
from zerfoo_jax.graph.shared import Shared
from zerfoo_jax.graph.spec import typed
from zerfoo_jax.graph.unknown_input import problems_for_any_input
from zerfoo_jax.layers import LAYERS

TABLE: Table = {**LAYERS, "Graph": Graph, "Shared": Shared}
"""Everything a `type:` may name."""


def model_from_spec(spec: Mapping[str, Any], *specs: Spec, place: str = "model", table: Table = TABLE) -> tuple[Layer, Walk]:
    """The model that a mapping describes, and the walk over it on inputs of these shapes.

    A mapping with `nodes` is a graph, any other a layer; `table` is what a `type` may name. Raises one `ConfigError` that
    lists every problem, of reading, of wiring and of shapes, each with its place in the mapping. Without `specs` only those
    shapes are checked that do not depend on the input, and the walk is empty.
    """
    problems: list[Problem] = []
    try:
        model = read_layer(typed(spec), table, place, problems)
    except RecursionError as error:
        raise ConfigError("the layers are nested too deep", place=place, fix="use Stack or a graph") from error
    result = walk(model, *specs) if specs else Walk()
    found = result.problems if specs else problems_for_any_input(model)
    problems += [replace(problem, place=_place(model, place, problem.place)) for problem in found]
    if problems:
        raise ConfigError(problems)
    return model, result


def _place(model: Layer, place: str, node_path: str) -> str:
    inside = config_path(model, node_path)
    return f"{place}.{inside}" if inside else place


def model_to_spec(model: Layer) -> dict[str, Any]:
    """The mapping that `model_from_spec` turns back into an equal model."""
    return layer_to_spec(model)
