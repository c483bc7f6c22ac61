"""LOOM's second generation as a binary file: `ENTITY\\0\\0`, u16 version, u16 flags, u64 length of the header, header, weights.

Little-endian. The header is JSON: `{"format_version", "network", "blobs": [{"path", "offset", "length", "dtype", "scale",
"native"}]}`, the network as in the wire JSON but without weights. Offsets count from the end of the header.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import struct
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.files import map_file
from zerfoo_jax.formats.json_text import Fields, parse
from zerfoo_jax.formats.limits import MAX_HEADER, MAX_TENSORS, check_count, check_name
from zerfoo_jax.formats.loom.compatibility import Compatibility, is_loom
from zerfoo_jax.formats.loom.packing import unpacked
from zerfoo_jax.formats.loom.volume import Cell, cells, network, summaries
from zerfoo_jax.formats.loom.wire import stored_dtype
from zerfoo_jax.formats.summary import Summary
from zerfoo_jax.graph.editing.network import Network

MAGIC = b"ENTITY\0\0"
_START = struct.Struct("<8sHHQ")


def recognises(head: bytes) -> bool:
    """Whether a file begins as an entity does."""
    return head.startswith(MAGIC)


def read(path: Path, *, compatibility: Compatibility | None = None) -> Network:
    """The network in a file. `compatibility="loom"` keeps LOOM's faults, see `volume` and `packing`.

    Raises `FormatError` for a file that is damaged or contradicts itself, and for one with a tokenizer's transformer.
    """
    return from_bytes(map_file(path), compatibility=compatibility, place=str(path))


def from_bytes(data: bytes | memoryview, *, compatibility: Compatibility | None = None, place: str = "<bytes>") -> Network:
    """As `read`, from bytes in memory."""
    loom = is_loom(compatibility)
    return network(_cells(data, place, loom)[0], place)


def summarize(path: Path) -> Summary:
    """The layers and their weights."""
    layers, blobs = _cells(map_file(path), str(path), loom=False)
    nodes, tensors = summaries(layers, partial(_size, blobs))
    return Summary("entity", {"version": 1}, nodes=tuple(nodes), tensors=tuple(tensors))


@dataclass(frozen=True)
class _Blob:
    given: Fields
    data: memoryview


def _cells(data: bytes | memoryview, place: str, loom: bool) -> tuple[list[Cell], dict[str, _Blob]]:
    header, payload = _header(memoryview(data), place)
    given = Fields.of(header, place, ("format_version", "network", "transformer", "blobs"))
    if given.integer("format_version", 1) != 1:
        raise FormatError(f"format_version {given.integer('format_version')}, and 1 is known", place=given.at("format_version"))
    if given.has("transformer"):
        raise FormatError("files with a transformer around the network are not supported", place=given.at("transformer"))
    blobs = _blobs(given, payload)
    layers = cells(given.values.get("network"), given.at("network"), partial(_weights, loom, blobs), loom)
    unknown = set(blobs) - set(_paths(layers))
    if unknown:
        path = min(unknown)
        raise FormatError(f"weights for {brief(path)}, and there is no such layer", place=blobs[path].given.place)
    return layers, blobs


def _header(data: memoryview, place: str) -> tuple[Any, memoryview]:
    if len(data) < _START.size:
        raise FormatError(f"the file has {len(data)} bytes, and a header begins with {_START.size}", place=place)
    magic, version, flags, length = _START.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("the file does not begin with ENTITY", place=place)
    if version != 1 or flags:
        raise FormatError(f"version {version} with flags {flags:#x}, and only version 1 without flags is known", place=place)
    check_count(length, MAX_HEADER, "bytes of a header", place)
    if length > len(data) - _START.size:
        raise FormatError(f"a header of {length:,} bytes in a file of {len(data):,}", place=place)
    end = _START.size + length
    return parse(data[_START.size : end], f"{place}:header"), data[end:]


def _blobs(given: Fields, payload: memoryview) -> dict[str, _Blob]:
    """The weights by path; together they must be the whole payload, each byte once."""
    items = given.items("blobs")
    check_count(len(items), MAX_TENSORS, "blobs", given.at("blobs"))
    found: dict[str, _Blob] = {}
    spans = []
    for value, place in items:
        blob = Fields.of(value, place, ("path", "offset", "length", "dtype", "scale", "native"))
        path, offset, length = (
            check_name(blob.values.get("path"), blob.at("path")),
            blob.integer("offset"),
            blob.integer("length"),
        )
        if path in found:
            raise FormatError(f"a second blob for {brief(path)}", place=place)
        if offset + length > len(payload):
            raise FormatError(f"bytes {offset:,} to {offset + length:,} of {len(payload):,}", place=place)
        spans.append((offset, length, place))
        found[path] = _Blob(blob, payload[offset : offset + length])
    end = 0
    for offset, length, place in sorted(spans):
        if offset != end:
            raise FormatError(f"a blob begins at {offset:,}, and the one before ends at {end:,}", place=place)
        end += length
    if end != len(payload):
        raise FormatError(f"{len(payload) - end:,} bytes belong to no blob", place=given.at("blobs"))
    return found


def _paths(layers: list[Cell]) -> list[str]:
    found, waiting = [], list(layers)
    while waiting:
        cell = waiting.pop()
        found.append(cell.path)
        waiting += [*cell.inner("parallel_branches"), *cell.inner("sequential_layers")]
    return found


def _weights(loom: bool, blobs: Mapping[str, _Blob], layer: Fields, path: str, count: int) -> np.ndarray:
    if path not in blobs:
        raise FormatError(f"there are no weights for {path!r}", place=layer.place)
    blob = blobs[path]
    dtype = stored_dtype(blob.given)
    # LOOM keeps the weights of norms by root mean square as float32, whatever the layer's type is.
    if dtype not in ("float32", layer.text("dtype")):
        raise FormatError(f"weights of {dtype} for a layer of {brief(layer.text('dtype'))}", place=blob.given.at("dtype"))
    return unpacked(dtype, blob.data, count, blob.given.number("scale", 1.0), blob.given.place, loom)


def _size(blobs: Mapping[str, _Blob], cell: Cell) -> tuple[str, int] | None:
    blob = blobs.get(cell.path)
    return None if blob is None else (stored_dtype(blob.given), len(blob.data))
