"""A network as tensors by name, with what it is made of in the metadata, and back.

A parameter at `params["block"]["dense"]["kernel"]` is the tensor `block.dense.kernel`, as other libraries would call it; what
is state, such as running statistics, has `state.` in front. `zerfoo.model` is the model's own JSON, made of layers of the
tables alone, and `zerfoo.inputs` the shapes and dtypes of its inputs.
"""

from collections.abc import Iterator, Mapping
import json
from typing import Any

import jax

from zerfoo_jax.config.strict_json import parse
from zerfoo_jax.core.arity import expect_inputs
from zerfoo_jax.core.errors import ConfigError, FormatError, Problem, brief
from zerfoo_jax.core.layer import Composite, Layer, problems_of
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.formats.limits import check_shape
from zerfoo_jax.formats.names import flatten
from zerfoo_jax.formats.operators.layers import LAYERS_AND_OPERATORS
from zerfoo_jax.formats.summary import NodeSummary
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.writing.text import from_json, to_json
from zerfoo_jax.numeric.dtypes import DTYPES

MODEL = "zerfoo.model"
INPUTS = "zerfoo.inputs"
STATE = "state."
"""In front of the names of state."""


def network_tensors(network: Network) -> tuple[dict[str, Any], dict[str, str]]:
    """The arrays of a network by name, and the metadata that `network_of` needs.

    Raises `ConfigError` for a model that no text describes, `FormatError` where two arrays would have one name, or the arrays
    are not those of the model.
    """
    metadata = {
        MODEL: to_json(network.model, LAYERS_AND_OPERATORS),
        INPUTS: json.dumps([{"shape": spec.shape, "dtype": spec.dtype.name} for spec in network.specs]),
    }
    tensors = _named(network.params, network.state)
    _filled(network.model, network.specs, tensors, "the network")
    return tensors, metadata


def network_of(tensors: Mapping[str, Any], metadata: Mapping[str, str], place: str) -> Network:
    """The network whose arrays and metadata `network_tensors` gave; raises `FormatError` where they do not fit each other."""
    model, specs = described(metadata, place)
    params, state = _filled(model, specs, tensors, place)
    return Network(model, params, state, specs)


def described(metadata: Mapping[str, str], place: str) -> tuple[Layer, tuple[Spec, ...]]:
    """The model and the inputs that metadata describe; raises `FormatError` for what is no description."""
    try:
        model = from_json(metadata[MODEL], MODEL, LAYERS_AND_OPERATORS)
        inputs = parse(metadata.get(INPUTS, ""), INPUTS)
    except ConfigError as error:
        raise FormatError([problem.under(place) for problem in error.problems]) from error
    if not isinstance(inputs, list):
        raise FormatError("the inputs are a list of shapes and dtypes", place=f"{place}: {INPUTS}")
    return model, tuple(_spec(given, f"{place}: {INPUTS}") for given in inputs)


def _spec(given: object, place: str) -> Spec:
    if not isinstance(given, dict) or given.keys() != {"shape", "dtype"} or not isinstance(given["shape"], list):
        raise FormatError("an input has a shape and a dtype", place=place)
    if not isinstance(given["dtype"], str) or given["dtype"] not in DTYPES:
        raise FormatError(f"unknown dtype {brief(given['dtype'])}", place=place)
    return Spec(check_shape(given["shape"], place), DTYPES[given["dtype"]].numpy)


def _named(params: Tree, state: Tree) -> dict[str, Any]:
    """Arrays, or shapes of arrays, by their names in a file."""
    named = flatten(params) | {STATE + name: array for name, array in flatten(state).items()}
    if len(named) != len(jax.tree.leaves((params, state))):
        raise FormatError("two arrays would have one name", place=MODEL, fix="rename the nodes whose names hold dots")
    return named


def _filled(model: Layer, specs: tuple[Spec, ...], tensors: Mapping[str, Any], place: str) -> tuple[Tree, Tree]:
    """Parameters and state of a model from tensors by name, dtypes as they come."""
    try:
        expect_inputs(model, specs)
        params, state = jax.eval_shape(model.init, jax.random.key(0), *specs)
    except Exception as error:
        raise FormatError([problem.under(f"{place}: {MODEL}") for problem in problems_of(error)]) from error
    wanted = _named(params, state)
    problems = [Problem("the model has no such array", name) for name in tensors.keys() - wanted.keys()]
    problems += [Problem("an array of the model is missing", name) for name in wanted.keys() - tensors.keys()]
    for name in wanted.keys() & tensors.keys():
        if tensors[name].shape != wanted[name].shape:
            problems.append(Problem(f"its shape is {tensors[name].shape}, the model's {wanted[name].shape}", name))
    if problems:
        raise FormatError(sorted((problem.under(place) for problem in problems), key=lambda problem: problem.place))
    return _like(params, tensors, ""), _like(state, tensors, STATE)


def _like(tree: Mapping[str, Any], tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name: _like(part, tensors, f"{prefix}{name}.") if isinstance(part, Mapping) else tensors[prefix + name]
        for name, part in tree.items()
    }


def nodes(model: Layer, path: str = "") -> Iterator[NodeSummary]:
    """The layers of a model that are not made of others."""
    if isinstance(model, Composite):
        for name, child in model.children().items():
            yield from nodes(child, f"{path}.{name}" if path else name)
    else:
        yield NodeSummary(path or "model", type(model).__name__)
