"""ONNX files, both ways."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.files import map_file
from zerfoo_jax.formats.onnx.reading import graph_of, parse
from zerfoo_jax.formats.onnx.repair import needs_repair, repair
from zerfoo_jax.formats.operators import OperatorGraph
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


def summarize(path: Path) -> Summary:
    """What is in an ONNX file, whether or not its operators are supported."""
    graph = read_graph(path)
    facts = {**graph.metadata, **{f"opset {domain or 'ai.onnx'}": version for domain, version in graph.opsets.items()}}
    return summary_of(graph, "onnx", facts)
