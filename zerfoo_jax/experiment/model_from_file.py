"""A model from a file, with the parameters that training begins with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from zerfoo_jax.core.errors import ConfigError, FormatError, Problem, brief
from zerfoo_jax.core.layer import Layer, Walk, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.experiment.reading import FILE
from zerfoo_jax.formats import load
from zerfoo_jax.formats.names import flatten
from zerfoo_jax.graph.editing import Network


def model_from_file(section: Mapping[str, Any], inputs: Spec | None) -> tuple[Layer, Walk, Network]:
    """The model, the walk over it on inputs of that shape, and the network in the file that the section names.

    Raises `ConfigError` with every problem of the section, and `FormatError` for a file that cannot be read.
    """
    network = _network_in(section)
    if inputs is None:
        return network.model, Walk(), network
    result = walk(network.model, inputs)
    problems = result.problems or list(_misfits(network, result))
    if problems:
        raise ConfigError([problem.under("model") for problem in problems])
    return network.model, result, network


def _misfits(network: Network, result: Walk) -> Iterator[Problem]:
    """Parameters of the file that the data would need in other shapes."""
    wanted, found = flatten(result.visits[-1].params), flatten(network.params)
    for name in wanted.keys() & found.keys():
        if wanted[name].shape != found[name].shape:
            cause = f"{name} is {tuple(found[name].shape)} in the file, this data needs {tuple(wanted[name].shape)}"
            yield Problem(cause, fix="give it the data that the model was made for, or replace the layer")


def _network_in(section: Mapping[str, Any]) -> Network:
    options = dict(section)
    path = options.pop(FILE)
    if not isinstance(path, str):
        raise ConfigError(f"file = {brief(path)} is no path", place="model.file", fix="such as file: model.onnx")
    try:
        return load(path, **options)
    except ConfigError as error:
        raise ConfigError([replace(p, place=f"model.{p.place}" if p.place else "model") for p in error.problems]) from None
    except FormatError as error:
        raise FormatError([replace(p, place=p.place or path) for p in error.problems]) from error
