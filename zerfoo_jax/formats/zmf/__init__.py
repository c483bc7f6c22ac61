"""ZMF, the graph format of Zerfoo and ZONNX (`proto/zmf.proto`): operators as they wrote them, our own models without loss.

wire -> message, schema -> decode, encode -> storage; dtypes, blocks -> tensors; attributes, values -> native, operators
-> this file
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

import zerfoo_jax
from zerfoo_jax.core.errors import FormatError, ZerfooError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import Table
from zerfoo_jax.formats.names import flatten
from zerfoo_jax.formats.operators.from_network import is_of_operators, to_operator_graph
from zerfoo_jax.formats.operators.layers import LAYERS_AND_OPERATORS
from zerfoo_jax.formats.zmf import native, operators
from zerfoo_jax.formats.zmf.decode import at_file
from zerfoo_jax.formats.zmf.operators import Missing
from zerfoo_jax.formats.zmf.schema import Metadata
from zerfoo_jax.formats.zmf.schema import Model as Model
from zerfoo_jax.formats.zmf.storage import read_model as read_model
from zerfoo_jax.formats.zmf.storage import write_model as write_model
from zerfoo_jax.formats.zmf.summary import summarize as summarize
from zerfoo_jax.formats.zmf.tensors import Quantize
from zerfoo_jax.formats.zmf.tensors import array_of as array_of
from zerfoo_jax.formats.zmf.tensors import tensor_of as tensor_of
from zerfoo_jax.formats.zmf.tensors import value_of as value_of
from zerfoo_jax.graph import Graph
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.numeric.quantization import QuantizedArray

VERSION = "1.0.0"
"""Of ZMF, as the original's reader knows it."""

Layers = Mapping[str, type[Layer]]
"""Classes of layers by the type that a file calls them."""


def read(
    path: Path,
    *,
    layers: Layers | None = None,
    missing: Missing = "refuse",
    shapes: Mapping[str, Sequence[int]] | None = None,
    verify: bool = False,
) -> Network:
    """The network in a ZMF file, of layers or of operators; its parameters are views of the mapped file.

    `layers` are the classes, by type, of layers that are not in `LAYERS`: no name in a file leads to code otherwise.
    `missing` says what stands for tensors whose bytes ZONNX lost, which it does with those that an ONNX file holds in typed
    fields: `"zeros"`, or the arrays by name. `shapes` gives the shapes of inputs of which a file of operators says none.
    `verify` checks every digest, not just those of small tensors, and that the parameters are those of the model; it reads all
    of the file.

    Raises `FormatError` for what is wrong with the file.
    """
    model = read_model(path, verify=verify)
    try:
        if not native.is_native(model):
            return operators.network_of(model, missing, shapes)
        network = native.network_of(model, _table(layers))
    except FormatError as error:
        raise at_file(error, path) from None
    if verify:
        _check_variables(network, path)
    return network


def _table(layers: Layers | None) -> Table:
    """The types that may stand in a file; operators among layers too."""
    return {**LAYERS_AND_OPERATORS, **(layers or {})}


def _check_variables(network: Network, path: Path) -> None:
    """Raises `FormatError` where parameters or state are not those of the model."""
    try:
        wanted = jax.eval_shape(network.model.init, jax.random.key(0), *network.specs)
    except ZerfooError as error:
        raise at_file(FormatError(error.problems), path) from error
    for what, tree, given in zip(("parameters", "state"), wanted, (network.params, network.state), strict=True):
        expected, found = flatten(tree, separator="/"), flatten(given, separator="/")
        for name in sorted(expected.keys() | found.keys()):
            ours, theirs = (_described(one.get(name)) for one in (expected, found))
            if ours != theirs:
                raise FormatError(f"the model has {ours}, the file {theirs}", place=f"{path}: {what}/{name}")


def _described(array: Any) -> str:
    """Shape and dtype; codes with scales stand in for an array of their scale's dtype."""
    if array is None:
        return "none"
    if isinstance(array, QuantizedArray):
        return f"{array.scale.dtype} {tuple(array.codes.shape)}"
    return f"{array.dtype} {tuple(array.shape)}"


def write(
    network: Network,
    path: Path,
    *,
    layers: Layers | None = None,
    quantize: Quantize | None = None,
    extra: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    aside: bool | None = None,
) -> None:
    """Writes a network to a ZMF file: a network of operators as these, any other as its layers, without loss.

    `layers` are the classes, by type, of layers that are not in `LAYERS`. `quantize` writes large kernels in blocks of 32 with
    4 or 8 bits, as the original does: float32, two axes or more, 1,024 elements or more, no norm, embedding or bias. `extra` is
    a nested mapping of further arrays, such as an optimizer's state, that `read_extra` gives; `metadata` are texts, in the
    summary's facts. `aside` says whether large arrays go into a file beside, see `storage`; by itself, those of models of over
    1 GiB do. Arrays are written one at a time, without a copy of them all.

    Raises `ConfigError` for what cannot be read again as it is.
    """
    model = _message_of(network, _table(layers), quantize)
    assert model.extension is not None
    model.metadata = model.metadata or Metadata()
    model.metadata.producer_name, model.metadata.producer_version = "zerfoo_jax", zerfoo_jax.__version__
    model.zmf_version = VERSION
    model.extension.extra = {name: tensor_of(array) for name, array in native.leaves_of(extra or {}).items()}
    model.extension.metadata = {**model.extension.metadata, **(metadata or {})}
    write_model(model, path, aside=aside)


def _message_of(network: Network, table: Table, quantize: Quantize | None) -> Model:
    if isinstance(network.model, Graph) and network.model.nodes and is_of_operators(network):
        return operators.message_of(to_operator_graph(network), quantize)
    return native.message_of(network, table, quantize)


def read_extra(path: Path) -> dict[str, Any]:
    """The further arrays that were written beside a network, such as an optimizer's state. Raises `FormatError`."""
    extension = read_model(path).extension
    try:
        return native.tree_of(extension.extra if extension else {}, "extension/extra")
    except FormatError as error:
        raise at_file(error, path) from None
