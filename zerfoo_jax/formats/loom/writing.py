"""Networks as first-generation bundles: layers that follow each other, each as the LOOM layer that computes the same."""

import base64
from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats.loom import go_json
from zerfoo_jax.formats.loom.forms import write_layer
from zerfoo_jax.formats.loom.numbers import NUMBERS
from zerfoo_jax.formats.loom.order import Order
from zerfoo_jax.formats.loom.written import Writer, Written
from zerfoo_jax.graph.editing.network import Network


def model_of(network: Network, id: str, dtype: str | None, loom: bool, grid: tuple[int, int]) -> dict[str, Any]:
    """One model of a bundle; one `FormatError` names every layer that has no form."""
    if len(network.specs) != 1:
        raise FormatError(f"a LOOM network takes one input, this one {len(network.specs)}", place=id)
    batch, *shape = network.specs[0].shape
    writer = Writer(loom)
    write_layer(writer, network.model, network.params, Order(tuple(shape)), "")
    layers = writer.finish()
    if not layers and not writer.problems:
        writer.refuse("no layer computes anything", id)
    if writer.problems:
        raise FormatError(writer.problems)
    rows, columns = grid
    if len(layers) % (rows * columns):
        raise ConfigError(f"{len(layers)} layers do not fill a grid of {rows} x {columns} cells", place="grid")
    config = {
        "id": id,
        "batch_size": max(batch, 1),
        "grid_rows": rows,
        "grid_cols": columns,
        "layers_per_cell": len(layers) // (rows * columns),
        "layers": [one.definition() for one in layers],
    }
    return {"id": id, "cfg": config, "weights": _encoded(layers, id, dtype, loom)}


def _encoded(layers: list[Written], id: str, dtype: str | None, loom: bool) -> dict[str, Any]:
    if dtype is None:
        data: dict[str, Any] = {"type": "float32", "dtype": "", "layers": [one.weights(None, 1.0, loom) for one in layers]}
    else:
        arrays = [array for one in layers for array in one.all_arrays()]
        scale = NUMBERS[dtype].scale if loom else NUMBERS[dtype].fitting(arrays, id)
        data = {"dtype": dtype, "scale": float(scale), "layers": [one.weights(dtype, scale, loom) for one in layers]}
    form = "multiPrecisionB64" if dtype else "jsonModelB64"
    return {"fmt": form, "data": base64.b64encode(go_json.dump(data).encode()).decode()}


def bundle_text(networks: Mapping[str, Network], dtype: str | None, loom: bool, grid: tuple[int, int]) -> str:
    """The text of a bundle of these networks."""
    models = [model_of(network, id, dtype, loom, grid) for id, network in networks.items()]
    return go_json.dump({"type": "modelhost/bundle", "version": 2 if dtype else 1, "models": models}, indent=True)
