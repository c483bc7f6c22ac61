"""ONNX files, both ways."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.formats.files import map_file
from zerfoo_jax.formats.lowering import OPSET, OPSETS, graph_of_function, graph_of_network
from zerfoo_jax.formats.onnx.reading import graph_of, parse
from zerfoo_jax.formats.onnx.repair import needs_repair, repair
from zerfoo_jax.formats.onnx.writing import with_types, write_graph
from zerfoo_jax.formats.operators import OperatorGraph
from zerfoo_jax.formats.operators.from_network import is_of_operators, to_operator_graph
from zerfoo_jax.formats.operators.network import to_network
from zerfoo_jax.formats.operators.outline import summary_of
from zerfoo_jax.formats.summary import Summary
from zerfoo_jax.graph.editing.network import Network


def read(path: Path, *, strict: bool = False, shapes: Mapping[str, Sequence[int]] | None = None) -> Network:
    """The model in an ONNX file as a network whose parameters train; see `operators.network` for what becomes of its arrays.

    Models of opset 7 to 28 and older ones of operators that have not changed since. Files of go-metal are repaired, see
    `onnx.repair`, unless `strict`. `shapes` gives the shapes of inputs of which the file says none.
    Raises `FormatError` for all that is wrong with a file, and for operators that are not supported, which it names.
    """
    return to_network(read_graph(path, strict=strict), str(path), shapes=shapes)


def read_graph(path: Path, *, strict: bool = False) -> OperatorGraph:
    """The operators in an ONNX file, whether or not they are supported."""
    place = str(path)
    model, weights = parse(map_file(path), place)
    if needs_repair(model):
        if strict:
            raise FormatError("go-metal wrote this file, which is no valid ONNX", place=place, fix="strict=False repairs it")
        repair(model, weights, place)
        weights = ()
    return graph_of(model, place, path.parent, weights)


def write(
    network: Network,
    path: Path,
    *,
    opset: int | None = None,
    batch: int | None = None,
    external_data: bool | None = None,
) -> None:
    """Writes a network's evaluation to an ONNX file, for any batch size or for `batch` alone.

    Networks made of operators, such as those read from ONNX files, keep them as they are unless another `opset` (18 to 26) is
    asked for, others get those of opset 20. With `external_data` the weights go to a file beside the model (see `companions`),
    as those of 1 GiB and more always do. What is written has passed ONNX's own checker and its inference of shapes.
    Raises `FormatError` with all that operators cannot do, each with its place in the model; then nothing is written.
    """
    if opset is None and batch is None and is_of_operators(network):
        graph = with_types(to_operator_graph(network), network)
    else:
        graph = graph_of_network(network, batch=batch, opset=_checked(opset))
    write_graph(graph, path, external_data=external_data)


def write_function(
    function: Callable[..., Tree],
    path: Path,
    *specs: Spec,
    parameters: Mapping[str, Any] | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    opset: int | None = None,
    external_data: bool | None = None,
) -> None:
    """Writes any JAX function of arrays to an ONNX file; see `lowering.graph_of_function`.

    Sizes that vary are symbols of `jax.export.symbolic_shape` in `specs`.
    """
    options = {"parameters": parameters, "inputs": inputs, "outputs": outputs}
    write_graph(graph_of_function(function, *specs, **options, opset=_checked(opset)), path, external_data=external_data)


def _checked(opset: int | None) -> int:
    if opset is not None and opset not in OPSETS:
        raise ConfigError(f"opset = {opset!r} is not written", place="opset", fix=f"choose one of {OPSETS[0]} to {OPSETS[-1]}")
    return opset or OPSET


def summarize(path: Path) -> Summary:
    """What is in an ONNX file, whether or not its operators are supported."""
    graph = read_graph(path)
    facts = {**graph.metadata, **{f"opset {domain or 'ai.onnx'}": version for domain, version in graph.opsets.items()}}
    return summary_of(graph, "onnx", facts)
