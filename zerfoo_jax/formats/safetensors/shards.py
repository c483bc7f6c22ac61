"""Models in several safetensors files, and the index that says which tensor is in which.

The index is JSON, `{"metadata": {"total_size": 1234}, "weight_map": {"block.kernel": "model-00001-of-00002.safetensors"}}`, as
the Hugging Face hub has it. The files lie in the index's folder, and hold exactly the tensors that it says.
"""

from collections.abc import Callable, Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any, TypeVar

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.companions import DIGEST
from zerfoo_jax.formats.files import beside, read_bytes
from zerfoo_jax.formats.limits import MAX_HEADER, MAX_TENSORS, check_count, check_name
from zerfoo_jax.formats.safetensors.header import parsed

EXTENSION = ".safetensors"
INDEX = ".safetensors.index.json"
"""How the name of an index ends."""
TOTAL_SIZE = "total_size"

MAX_FILES = 1000
"""That one index may name: all of them are open at once."""

Kept = TypeVar("Kept")
Contents = tuple[Mapping[str, Kept], Mapping[str, str]]
"""Tensors and metadata of one file."""


def read_index(path: Path, open_file: Callable[[Path], Contents[Kept]], size_of: Callable[[Kept], int]) -> Contents[Kept]:
    """All tensors of the files that an index names, and the metadata of the files and of the index together.

    Raises `FormatError` for files outside the index's folder, for tensors that are missing, in two files or not in the index,
    and for a `total_size` that is not the number of bytes.
    """
    place = str(path)
    weight_map, metadata = _index(read_bytes(path, MAX_HEADER), place)
    tensors: dict[str, Kept] = {}
    told = dict(metadata)
    for file in sorted(set(weight_map.values())):
        found, own = open_file(beside(path.parent, file, f"{place}: weight_map"))
        wanted = {name for name, home in weight_map.items() if home == file}
        for name in sorted(wanted ^ found.keys()):
            where = "lacks it" if name in wanted else "holds it, though the index does not say so"
            raise FormatError(f"{brief(file)} {where}", place=f"{place}: tensor {name!r}", fix="write the files again")
        tensors |= found
        told = {**own, **told}
    size = told.pop(TOTAL_SIZE, None)
    total = sum(map(size_of, tensors.values()))
    if size is not None and size != total:
        raise FormatError(f"total_size is {brief(size)}, the tensors have {total:,} bytes", place=f"{place}: metadata")
    # In this order the tensors come back as they were written, whatever file they are in.
    return {name: tensors[name] for name in weight_map}, {key: value for key, value in told.items() if isinstance(value, str)}


def _index(raw: bytes, place: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The weight map and the metadata of an index."""
    index = parsed(raw, place)
    if index.keys() - {"metadata", "weight_map"}:
        raise FormatError("an index has metadata and weight_map, and nothing else", place=place)
    weight_map, metadata = index.get("weight_map"), index.get("metadata", {})
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise FormatError("weight_map maps the names of tensors to those of files", place=place)
    if not isinstance(metadata, dict):
        raise FormatError("metadata is a mapping", place=place)
    check_count(len(weight_map), MAX_TENSORS, "tensors", place)
    check_count(len(set(weight_map.values())), MAX_FILES, "files", place)
    for name, file in weight_map.items():
        check_name(name, f"{place}: weight_map")
        if not check_name(file, f"{place}: weight_map").endswith(EXTENSION):
            raise FormatError(f"{brief(file)} is no safetensors file", place=f"{place}: tensor {name!r}")
    return weight_map, metadata


def shard_starts(index: Path, count: int) -> Iterator[str]:
    """How the names of an index's files begin, as the hub numbers them; a part of a digest and the extension follow.

    >>> list(shard_starts(Path("model.safetensors.index.json"), 2))
    ['model-00001-of-00002-', 'model-00002-of-00002-']
    """
    stem = index.name.removesuffix(INDEX)
    return (f"{stem}-{i:05}-of-{count:05}-" for i in range(1, count + 1))


def shard_pattern(index: Path) -> str:
    """The regular expression of such names, with the digest or as the hub has them, without."""
    return rf"{re.escape(index.name.removesuffix(INDEX))}-\d{{5}}-of-\d{{5}}(-{DIGEST})?{re.escape(EXTENSION)}"


def files_named_in(index: Path) -> set[str]:
    """The files that an index names; raises `FormatError` for what is no index."""
    weight_map, _ = _index(read_bytes(index, MAX_HEADER), str(index))
    return set(weight_map.values())


def index_text(weight_map: Mapping[str, str], metadata: Mapping[str, str], total_size: int) -> bytes:
    """An index as `read_index` reads it."""
    index = {"metadata": {TOTAL_SIZE: total_size, **metadata}, "weight_map": weight_map}
    return f"{json.dumps(index, indent=2, ensure_ascii=False)}\n".encode()
