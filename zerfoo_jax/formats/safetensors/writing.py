"""Arrays to safetensors files and bytes, one after the other, without a copy of them all.

The data begin at a multiple of 64 bytes, since the header is filled up with spaces. Holes between tensors are forbidden; what
takes their place is the order: by the largest power of two, up to 64, that divides a tensor's size in bytes. Each then begins
at a multiple of that power: all whose size is a multiple of 64 bytes at multiples of 64, which is what JAX needs to use them in
place on a CPU, and every other one at least at a multiple of its elements' size.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, brief
from zerfoo_jax.formats.companions import replacing
from zerfoo_jax.formats.files import ALIGNMENT, padding, write_whole
from zerfoo_jax.formats.limits import MAX_HEADER, MAX_TENSORS, check_count, check_name, check_shape
from zerfoo_jax.formats.safetensors.header import LENGTH, METADATA, parsed
from zerfoo_jax.formats.safetensors.shards import EXTENSION, INDEX, files_named_in, index_text, shard_pattern, shard_starts
from zerfoo_jax.formats.safetensors.stored_types import BY_DTYPE, STORED_TYPES, StoredType, packed_bits
from zerfoo_jax.formats.safetensors.tensors import PACKED
from zerfoo_jax.numeric.bits import pack, packed_size

MAX_SHARD_BYTES = 5 * 10**9
"""Of the tensors in one of several files, unless told otherwise; a tensor that is larger has a file of its own."""

_PORTION = 2**24
"""Elements that are converted at once, where an array's bytes are not those of the file."""


class _Planned(NamedTuple):
    """An array, NumPy's or JAX's, and how it will be kept."""

    name: str
    array: Any
    stored: StoredType
    shape: tuple[int, ...]
    bits: int
    size: int
    told: str = ""
    """What the metadata tell of it, if anything."""

    @property
    def alignment(self) -> int:
        """The largest power of two, up to 64, that divides the size."""
        return min(self.size & -self.size, ALIGNMENT) if self.size else ALIGNMENT

    def portions(self) -> Iterator[memoryview]:
        """The bytes, those of small numbers packed; no copy of an array that lies in memory as it will in the file."""
        array = np.asarray(self.array)
        if self.bits < 8 or array.dtype.byteorder == ">" or not array.flags.c_contiguous:
            for start in range(0, array.size, _PORTION):
                values = array.flat[start : start + _PORTION]
                values = values.astype(values.dtype.newbyteorder("<"), copy=False).view(np.uint8)
                yield (pack(values, self.bits) if self.bits < 8 else values).data
        elif array.size:
            yield array.reshape(-1).view(np.uint8).data


def write_tensors(
    tensors: Mapping[str, Any],
    path: str | Path,
    *,
    metadata: Mapping[str, str] | None = None,
    max_shard_bytes: int | None = None,
) -> None:
    """Writes arrays, NumPy's or JAX's, to a file; it takes its name only once it is whole.

    A path that ends in `.safetensors.index.json` is written as an index with several files beside it, each of at most
    `max_shard_bytes` of tensors, by default 5 GB; a part of their digest is in their names, see `companions`. Dtypes that the
    format lacks, such as int4, are kept as packed bytes, which other readers see as U8. Raises `FormatError` for names, arrays
    and metadata that could not be read back.
    """
    path, planned = Path(path), _plan(tensors, str(path))
    if path.name.endswith(INDEX):
        _write_shards(planned, path, metadata or {}, MAX_SHARD_BYTES if max_shard_bytes is None else max_shard_bytes)
    elif max_shard_bytes is not None:
        fix = f"name the index that is to be written, {path.name.removesuffix('.safetensors')}{INDEX}"
        raise ConfigError(f"max_shard_bytes = {max_shard_bytes} for a single file", place="max_shard_bytes", fix=fix)
    else:
        _write_file(planned, path, metadata or {})


def to_bytes(tensors: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None) -> bytes:
    """The bytes of the file that `write_tensors` writes."""
    return b"".join(_portions(_plan(tensors, "<bytes>"), metadata or {}, "<bytes>"))


def _write_file(planned: Sequence[_Planned], path: Path, metadata: Mapping[str, str]) -> None:
    portions = _portions(planned, metadata, str(path))
    with write_whole(path) as file:
        for portion in portions:
            file.write(portion)


def _write_shards(planned: Sequence[_Planned], path: Path, metadata: Mapping[str, str], limit: int) -> None:
    shards: list[list[_Planned]] = [[]]
    for one in planned:
        if shards[-1] and sum(other.size for other in shards[-1]) + one.size > limit:
            shards.append([])
        shards[-1].append(one)
    with replacing(path, INDEX, shard_pattern(path), files_named_in) as write_beside:
        weight_map: dict[str, str] = {}
        for start, shard in zip(shard_starts(path, len(shards)), shards, strict=True):
            name = write_beside(start, EXTENSION, _portions(shard, {}, str(path)))
            weight_map |= {one.name: name for one in shard}
        with write_whole(path) as file:
            file.write(index_text(weight_map, metadata, sum(one.size for one in planned)))


def _plan(tensors: Mapping[str, Any], place: str) -> list[_Planned]:
    check_count(len(tensors), MAX_TENSORS, "tensors", place)
    return [_planned(check_name(name, place), array, f"{place}: tensor {name!r}") for name, array in tensors.items()]


def _planned(name: str, array: Any, place: str) -> _Planned:
    array = array if hasattr(array, "shape") and hasattr(array, "dtype") else np.asarray(array)
    try:
        dtype, shape = np.dtype(array.dtype), check_shape(array.shape, place)
    except TypeError:
        raise FormatError(f"an array of dtype {array.dtype} is no array of numbers", place=place) from None
    count, stored = math.prod(shape), BY_DTYPE.get(dtype.name)
    if name == METADATA:
        raise FormatError("this name stands for the metadata", place=place, fix="rename the tensor")
    if stored and count * stored.bits % 8 == 0:
        return _Planned(name, array, stored, shape, stored.bits, packed_size(count, stored.bits))
    bits = packed_bits(dtype, place)
    size = packed_size(count, bits)
    return _Planned(name, array, STORED_TYPES["U8"], (size,), bits, size, f"{dtype.name} {','.join(map(str, shape))}")


def _portions(planned: Sequence[_Planned], metadata: Mapping[str, str], place: str) -> Iterable[bytes | memoryview]:
    """A whole file, header first; nothing but the header is made before it is asked for."""
    ordered = sorted(planned, key=lambda one: -one.alignment)
    return chain((_header(ordered, metadata, place),), *(one.portions() for one in ordered))


def _header(ordered: Sequence[_Planned], metadata: Mapping[str, str], place: str) -> bytes:
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str) or key.startswith(PACKED):
            cause = f"metadata maps texts to texts, no key begins with {PACKED!r}, got {brief(key)}: {brief(value)}"
            raise FormatError(cause, place=f"{place}: {METADATA}")
    told = {**metadata, **{PACKED + one.name: one.told for one in ordered if one.told}}
    header: dict[str, Any] = {METADATA: told} if told else {}
    end = 0
    for one in ordered:
        header[one.name] = {"dtype": one.stored.name, "shape": one.shape, "data_offsets": (end, end + one.size)}
        end += one.size
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise FormatError("half of a surrogate pair is no text", place=f"{place}: {METADATA}") from None
    check_count(len(text) + ALIGNMENT, MAX_HEADER, "bytes of header", place)
    parsed(text, place)  # what could not be read is not written
    text += b" " * padding(LENGTH + len(text))
    return len(text).to_bytes(LENGTH, "little") + text
