"""LOOM's second generation as JSON, what `Network.serialize()` gives: the layers, each with its weights as base64."""

from functools import partial
from pathlib import Path

import numpy as np

from zerfoo_jax.formats.files import read_bytes
from zerfoo_jax.formats.json_text import MAX_TEXT, Fields, from_base64, parse
from zerfoo_jax.formats.loom.compatibility import Compatibility, is_loom
from zerfoo_jax.formats.loom.packing import PACKINGS, unpacked
from zerfoo_jax.formats.loom.volume import Cell, cells, network, summaries
from zerfoo_jax.formats.summary import Summary
from zerfoo_jax.graph.editing.network import Network


def recognises(head: bytes) -> bool:
    """Whether a file begins as LOOM writes one."""
    return head.lstrip().startswith(b"{") and b'"id"' in head and b'"depth"' in head


def read(path: Path, *, compatibility: Compatibility | None = None) -> Network:
    """The network in a file. `compatibility="loom"` keeps LOOM's faults, see `volume` and `packing`.

    Raises `FormatError` for a file that is damaged or contradicts itself.
    """
    return from_text(read_bytes(path, MAX_TEXT), compatibility=compatibility, place=str(path))


def from_text(text: str | bytes, *, compatibility: Compatibility | None = None, place: str = "<text>") -> Network:
    """As `read`, from a text in memory."""
    loom = is_loom(compatibility)
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return network(cells(parse(data, place), place, partial(_weights, loom), loom), place)


def summarize(path: Path) -> Summary:
    """The layers and their weights."""
    place = str(path)
    value = parse(read_bytes(path, MAX_TEXT), place)
    nodes, tensors = summaries(cells(value, place, partial(_weights, False), loom=False), _size)
    return Summary("loom_wire", {"id": value.get("id", "")}, nodes=tuple(nodes), tensors=tuple(tensors))


def stored_dtype(layer: Fields) -> str:
    """The type of a layer's weights: its own, or that of the numbers it was made from."""
    layer.choice("dtype", PACKINGS, "float32")
    return (layer.text("dtype") or "float32") if layer.flag("native") else "float32"


def _weights(loom: bool, layer: Fields, path: str, count: int) -> np.ndarray:
    place = layer.at("weights")
    data = from_base64(layer.text("weights"), place)
    return unpacked(stored_dtype(layer), data, count, layer.number("scale", 1.0), place, loom)


def _size(cell: Cell) -> tuple[str, int] | None:
    place = cell.given.at("weights")
    return (
        (stored_dtype(cell.given), len(from_base64(cell.given.text("weights"), place))) if cell.given.has("weights") else None
    )
