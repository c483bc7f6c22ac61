"""ZMF files as messages: mapped, checked and written piece by piece; large weights in a file beside the model's.

A protobuf message has at most 2 GiB. The file beside, `<name>.<part of its digest>.data`, holds the data of tensors one after
another, each from a multiple of 64 on, and ends with the digest by which the model's file knows it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
import hashlib
from itertools import chain
from pathlib import Path
import re
from typing import Any

from zerfoo_jax.core.errors import ConfigError, FormatError, brief
from zerfoo_jax.formats.companions import DIGEST, WriteBeside, replacing
from zerfoo_jax.formats.files import ALIGNMENT, beside, map_file, padding, write_whole
from zerfoo_jax.formats.limits import MAX_NODES, MAX_TENSORS, check_count, check_name
from zerfoo_jax.formats.zmf.decode import at_file, decode, named
from zerfoo_jax.formats.zmf.encode import MAX_MESSAGE, bytes_of, encode, size_of, write_pieces
from zerfoo_jax.formats.zmf.schema import EXTENSION_VERSION, Buffer, Extension, Graph, Model, Tensor
from zerfoo_jax.formats.zmf.wire import Budget

ASIDE = 2**30
"""Bytes of weights from which on they go into a file beside."""
MIN_ASIDE = 64 * 1024
"""Bytes of a tensor that goes there."""
MAX_CHECKED = 64 * 1024
"""Bytes of tensors whose digest is always checked."""


def read_model(path: str | Path, *, verify: bool = False) -> Model:
    """All that a ZMF file holds, as messages; the data of tensors are views of the mapped files.

    The digests of tensors of up to 64 KiB are checked, with `verify` all. Raises `FormatError`.
    """
    path = Path(path)
    data = map_file(path)
    try:
        model = decode(Model, data, Budget())
        _check(model)
        side = _side_file(model, path)
        return with_tensors(model, lambda tensor: _checked(_resolved(tensor, side), verify))
    except FormatError as error:
        raise at_file(error, path) from None


def _check(model: Model) -> None:
    """Raises `FormatError` for what no version of ours wrote, and for too much of anything."""
    if model.graph is None:
        raise FormatError("this is no ZMF file: it has no graph")
    major = model.zmf_version.partition(".")[0]
    if model.zmf_version and major != "1":
        raise FormatError(f"version {brief(model.zmf_version)} of ZMF is not known", place="zmf_version", fix="1.x is")
    extension = model.extension
    if extension is not None and not 1 <= extension.version <= EXTENSION_VERSION:
        cause = f"version {extension.version} of what zerfoo_jax adds to ZMF is not known"
        raise FormatError(cause, place="extension/version", fix="use a newer zerfoo_jax")
    check_count(len(model.graph.nodes), MAX_NODES, "nodes", "graph/nodes")
    tables = _tables(model)
    check_count(sum(map(len, tables.values())), MAX_TENSORS, "tensors", "graph/parameters")
    for place, table in tables.items():
        for name in table:
            check_name(name, place)


def _tables(model: Model) -> dict[str, Any]:
    extension = model.extension or Extension()
    graph = model.graph or Graph()
    return {"graph/parameters": graph.parameters, "extension/state": extension.state, "extension/extra": extension.extra}


def with_tensors(model: Model, change: Callable[[Tensor], Tensor]) -> Model:
    """The model with every tensor changed that stands under a name, in their order."""
    parameters, state, extra = (
        {name: named(change, f"{place}/{name}", tensor) for name, tensor in table.items()}
        for place, table in _tables(model).items()
    )
    graph = replace(model.graph or Graph(), parameters=parameters)
    extension = model.extension and replace(model.extension, state=state, extra=extra)
    return replace(model, graph=graph, extension=extension)


def _side_file(model: Model, path: Path) -> memoryview | None:
    """The file beside, mapped; None where there is none to be."""
    if model.extension is None or not model.extension.data_file:
        return None
    place, name = "extension/data_file", model.extension.data_file
    if "/" in name:
        raise FormatError(f"the file name {brief(name)} leads out of the model's folder", place=place)
    data = map_file(beside(path.parent, name, place))
    digest = bytes_of(model.extension.data_digest)
    if len(digest) != 32 or data[-32:] != digest:
        raise FormatError(f"{brief(name)} is not the file that was written with this one", place=place)
    return data[:-32]


def _resolved(tensor: Tensor, side: memoryview | None) -> Tensor:
    """The tensor with its data, wherever they are."""
    if tensor.offset is None:
        return tensor
    if side is None:
        raise FormatError("the data are said to be in a file beside this one, and none is named")
    if size_of(tensor.data):
        raise FormatError("the data are here, and said to be in a file beside this one")
    within = 0 <= tensor.offset <= tensor.offset + tensor.size <= len(side)
    if not within or tensor.offset % ALIGNMENT:
        cause = f"data from byte {tensor.offset:,} on, {tensor.size:,} of them, in a file of {len(side):,}"
        raise FormatError(cause, fix=f"they lie within it, from a multiple of {ALIGNMENT} on")
    return replace(tensor, data=side[tensor.offset : tensor.offset + tensor.size], offset=None, size=0)


def _checked(tensor: Tensor, verify: bool) -> Tensor:
    """The tensor, once its digest has been found right, if that is asked for."""
    asked = verify or size_of(tensor.data) <= MAX_CHECKED
    if tensor.digest and asked and digest_of(tensor.data) != bytes_of(tensor.digest):
        raise FormatError("the data are damaged: they do not have the digest that was written with them")
    return tensor


def digest_of(data: Buffer) -> bytes:
    """The SHA-256 of data."""
    return hashlib.sha256(bytes_of(data)).digest()


def write_model(model: Model, path: str | Path, *, aside: bool | None = None) -> None:
    """Writes messages to a file, with what they hold that is not known here, and new digests.

    `aside` says whether large tensors go into a file beside, by itself those of models of over 1 GiB. Tensors are written as
    they come from memory or from other files, one at a time. What is written over stays whole until the new files are; see
    `companions`. Raises `ConfigError` where a file would have over 2 GiB, or would be refused by `read_model`.
    """
    path = Path(path)
    total = sum(size_of(tensor.data) for table in _tables(model).values() for tensor in table.values())
    model = with_tensors(model, lambda tensor: replace(tensor, digest=digest_of(tensor.data) if size_of(tensor.data) else b""))
    extension = model.extension or Extension(version=EXTENSION_VERSION)
    model = replace(model, extension=replace(extension, data_file="", data_digest=b""))
    try:
        _check(model)
    except FormatError as error:
        raise ConfigError(error.problems) from None
    with replacing(path, ".zmf", rf"{re.escape(path.name)}\.({DIGEST}\.)?data", _named_in) as write_beside:
        if total > ASIDE if aside is None else aside:
            model = _write_aside(model, path.name, write_beside)
        pieces, size = encode(model)
        if size > MAX_MESSAGE:
            raise ConfigError(f"a file of {size:,} bytes, over the {MAX_MESSAGE:,} of protobuf", fix="write with aside=True")
        with write_whole(path) as file:
            write_pieces(pieces, file)


def _named_in(path: Path) -> list[str]:
    """The file beside that a model's file names, if any."""
    extension = decode(Model, map_file(path), Budget()).extension
    return [extension.data_file] if extension is not None and extension.data_file else []


def _write_aside(model: Model, name: str, write_beside: WriteBeside) -> Model:
    """Writes large tensors to a file beside that of this name; gives the model that refers to it."""
    chosen: list[Buffer] = []
    digests = hashlib.sha256()
    at = 0

    def moved(tensor: Tensor) -> Tensor:
        nonlocal at
        size = size_of(tensor.data)
        if size < MIN_ASIDE:
            return tensor
        offset, at = at, at + size + padding(size)
        chosen.append(tensor.data)
        digests.update(bytes_of(tensor.digest))
        return replace(tensor, data=b"", offset=offset, size=size)

    model = with_tensors(model, moved)
    if not chosen:
        return model
    aside = write_beside(f"{name}.", ".data", chain(_padded(chosen), (digests.digest(),)))
    assert model.extension is not None
    return replace(model, extension=replace(model.extension, data_file=aside, data_digest=digests.digest()))


def _padded(chosen: list[Buffer]) -> Iterator[bytes | memoryview]:
    """The data with zeros between them, so that each begins at a multiple of 64."""
    for data in chosen:
        yield bytes_of(data)
        yield bytes(padding(size_of(data)))
