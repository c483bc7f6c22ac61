"""Arrays by name, as a safetensors file holds them: views of the file wherever its bytes can be used as they are."""

from collections.abc import Iterator, Mapping
import math
import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.files import map_file
from zerfoo_jax.formats.limits import check_shape
from zerfoo_jax.formats.safetensors.header import Header, read_header
from zerfoo_jax.formats.safetensors.loom import Compatibility, decode_f4
from zerfoo_jax.formats.safetensors.shards import INDEX, read_index
from zerfoo_jax.formats.safetensors.stored_types import packed_bits
from zerfoo_jax.numeric.bits import packed_size, unpack
from zerfoo_jax.numeric.dtypes import DTYPES

_PORTION = 16 * 2**20
"""Bytes that are copied before their pages are given back."""

PACKED = "zerfoo.dtype/"
"""In front of a tensor's name, the metadata's key for the dtype and shape of an array whose bytes are kept as U8."""


class Kept(NamedTuple):
    """A tensor in memory: its dtype, its shape, its bytes in the file, and the bits that one element takes there."""

    dtype: np.dtype
    shape: tuple[int, ...]
    data: memoryview
    bits: int

    def array(self) -> np.ndarray:
        """The array, read only; a view of the bytes unless they are packed."""
        count = math.prod(self.shape)
        if not count:
            return np.empty(self.shape, self.dtype)
        values = np.frombuffer(self.data, np.uint8)
        if self.bits < 8:
            values = unpack(values, self.bits, count)
            values.flags.writeable = False
        return values.view(self.dtype).reshape(self.shape)


class Tensors(Mapping[str, np.ndarray]):
    """Read-only arrays by name, and `metadata`, texts by name. An array is made when it is asked for."""

    def __init__(self, kept: Mapping[str, Kept], metadata: Mapping[str, str], compatibility: Compatibility | None = None):
        self.kept = kept
        self.metadata = metadata
        self._compatibility = compatibility

    def __getitem__(self, name: str) -> np.ndarray:
        array = self.kept[name].array()
        return decode_f4(array) if self._compatibility and array.dtype.name == "float4_e2m1fn" else array

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)

    def __len__(self) -> int:
        return len(self.kept)


def read_tensors(path: str | Path, *, compatibility: Compatibility | None = None) -> Tensors:
    """The arrays of a file, mapped into memory: nothing is copied, and nothing read before it is used.

    A path that ends in `.safetensors.index.json` stands for all files that the index names, which lie in its folder. With
    `compatibility="loom"` 4-bit floats are read as LOOM reads them, see `loom`. Raises `FormatError` for a file that breaks any
    rule of `header`, and for an index that names other files or other tensors than there are.
    """
    path = Path(path)
    if not path.name.endswith(INDEX):
        return _tensors(map_file(path), str(path), compatibility)
    kept, metadata = read_index(path, lambda file: _opened(file, compatibility), lambda one: len(one.data))
    return Tensors(kept, metadata, compatibility)


def load_tensors(path: str | Path, *, compatibility: Compatibility | None = None) -> dict[str, np.ndarray]:
    """As `read_tensors`, but in memory of their own, where the file may change or vanish; they may be written to.

    The file's pages are given back as soon as they have been copied, so that the model is never in memory twice.
    """
    tensors = read_tensors(path, compatibility=compatibility)
    arrays: dict[str, np.ndarray] = {}
    waiting = 0
    for name, kept in tensors.kept.items():
        arrays[name] = np.array(tensors[name])
        waiting += len(kept.data)
        if waiting >= _PORTION:
            _give_back(kept.data)
            waiting = 0
    return arrays


def _give_back(data: memoryview) -> None:
    """Lets go of what has been read of the file that these bytes are mapped from; read again, it comes from the disk."""
    if isinstance(data.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.obj.madvise(mmap.MADV_DONTNEED)


def from_bytes(data: bytes | memoryview, *, compatibility: Compatibility | None = None) -> Tensors:
    """The arrays in the bytes of one file, as views of them; raises as `read_tensors` does.

    >>> from zerfoo_jax.formats.safetensors import to_bytes
    >>> tensors = from_bytes(to_bytes({"block.kernel": np.ones((2, 3), np.float32)}, metadata={"made": "here"}))
    >>> tensors["block.kernel"].shape, dict(tensors.metadata)
    ((2, 3), {'made': 'here'})
    """
    return _tensors(memoryview(data).toreadonly(), "<bytes>", compatibility)


def _opened(path: Path, compatibility: Compatibility | None) -> tuple[Mapping[str, Kept], Mapping[str, str]]:
    tensors = _tensors(map_file(path), str(path), compatibility)
    return tensors.kept, tensors.metadata


def _tensors(file: memoryview, place: str, compatibility: Compatibility | None) -> Tensors:
    header = read_header(file, place, filled_up=compatibility is not None)
    packed = {key.removeprefix(PACKED): value for key, value in header.metadata.items() if key.startswith(PACKED)}
    kept = {
        name: Kept(entry.stored.dtype, entry.shape, header.data[entry.start : entry.stop], entry.stored.bits)
        for name, entry in header.entries.items()
    }
    kept |= {name: _packed(header, name, told, f"{place}: tensor {name!r}") for name, told in packed.items()}
    metadata = {key: value for key, value in header.metadata.items() if not key.startswith(PACKED)}
    return Tensors(kept, metadata, compatibility)


def _packed(header: Header, name: str, told: str, place: str) -> Kept:
    """The array of another dtype whose bytes a tensor holds, as `int4 3,5` in the metadata tells."""
    if name not in header.entries:
        raise FormatError("the metadata tells of a tensor that is not there", place=place)
    entry, (dtype_name, _, sizes) = header.entries[name], told.partition(" ")
    if not all(size.isdecimal() and len(size) < 20 for size in sizes.split(",") if sizes):
        raise FormatError("the metadata tells no shape", place=place)
    dtype = _dtype(dtype_name, place)
    shape = check_shape((int(size) for size in sizes.split(",") if sizes), place)
    bits = packed_bits(dtype)
    size = packed_size(math.prod(shape), bits)
    if entry.stored.name != "U8" or entry.shape != (size,):
        raise FormatError(
            f"{dtype_name}{list(shape)} is kept as U8[{size}], got {entry.stored.name}{list(entry.shape)}", place=place
        )
    return Kept(dtype, shape, header.data[entry.start : entry.stop], bits)


def _dtype(name: str, place: str) -> np.dtype:
    if name == "complex128":
        return np.dtype(np.complex128)
    if name not in DTYPES:
        raise FormatError(f"the metadata tells of an unknown dtype {name[:40]!r}", place=place)
    return DTYPES[name].numpy
