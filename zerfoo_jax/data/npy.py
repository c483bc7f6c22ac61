"""NumPy's files, read without trust: a header must declare plain numbers of exactly the size that is there, before any memory
is taken for them. Nothing is ever unpickled.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any
import zipfile

import numpy as np
from numpy.lib import format as npy_format

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.files import regular_file

_MAX_RANK = 32
_MAX_RATIO = 100
_ALWAYS_FINE = 256 * 2**20
"""An archive may unpack to 100 times its size, as NumPy's own rarely do, or to 256 MiB."""


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Any
    nbytes: int


def map_npy(path: str) -> np.ndarray:
    """The array of a .npy file, memory-mapped and read-only. Raises `DataError` for anything but plain numbers."""
    file_path = regular_file(path)
    try:
        with file_path.open("rb") as file:
            header = _read_header(file, path)
            offset = file.tell()
        size = file_path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot read {path!r}: {error.strerror or error}", place=path) from error
    _expect_size(header, size - offset, path)
    if not header.nbytes:
        return np.empty(header.shape, header.dtype, header.order)
    mapped = np.memmap(file_path, header.dtype, "r", offset, header.shape, header.order)
    return np.asarray(mapped)


def load_npz(path: str) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name, in memory.

    Raises `DataError` for a damaged archive, one that would unpack to far more than its size, and any member that is not a .npy
    file of plain numbers.
    """
    file_path = regular_file(path)
    try:
        with zipfile.ZipFile(file_path) as archive:
            members = archive.infolist()
            _expect_honest(members, file_path)
            return {member.filename.removesuffix(".npy"): _member(archive, member, path) for member in members}
    except DataError:
        raise
    except Exception as error:  # zipfile and zlib raise a dozen kinds for a hostile archive
        raise DataError(
            f"cannot read {path!r} as .npz: {type(error).__name__}: {error}", place=path, fix="write it with numpy.savez"
        ) from error


def _expect_honest(members: list[zipfile.ZipInfo], path: Path) -> None:
    names = [member.filename for member in members]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(names) < 1000 else ["too many members"]
    if twice:
        raise DataError(f"the archive holds {', '.join(twice)} more than once", place=str(path), fix="write every array once")
    unpacked, packed = sum(member.file_size for member in members), path.stat().st_size
    if unpacked > max(_ALWAYS_FINE, _MAX_RATIO * packed):
        raise DataError(
            f"the archive of {packed:,} bytes would unpack to {unpacked:,}",
            place=str(path),
            fix="store the arrays as .npy files, which are mapped instead of unpacked",
        )


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str) -> np.ndarray:
    place = f"{path}:{member.filename}"
    with archive.open(member) as file:
        header = _read_header(file, place)
        _expect_size(header, member.file_size - file.tell(), place)
        data = file.read(header.nbytes + 1)  # one more, so that the archive's checksum is verified
    if len(data) != header.nbytes:
        raise DataError(f"{len(data):,} bytes of data where the header declares {header.nbytes:,}", place=place)
    return np.frombuffer(data, header.dtype).reshape(header.shape, order=header.order)


def _read_header(file: IO[bytes], place: str) -> _Header:
    try:
        version = npy_format.read_magic(file)
        readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
        shape, fortran, dtype = readers[version](file)
    except Exception as error:  # the header is a Python literal: its parser raises many kinds for a hostile one
        raise DataError(
            f"not a .npy file of numbers: {type(error).__name__}: {str(error)[:200]}",
            place=place,
            fix="write it with numpy.save",
        ) from error
    if dtype.kind not in "biuf":
        raise DataError(f"dtype {dtype} is not a plain number", place=place, fix="convert to integers or floats and save again")
    if len(shape) > _MAX_RANK or any(length < 0 for length in shape):
        raise DataError(f"shape {shape} is impossible", place=place, fix="write it with numpy.save")
    return _Header(shape, dtype, "F" if fortran else "C", prod(shape) * dtype.itemsize)


def _expect_size(header: _Header, available: int, place: str) -> None:
    if header.nbytes != available or max(header.shape, default=0) > 2**62:
        raise DataError(
            f"the header declares {header.dtype}{list(header.shape)}, {header.nbytes:,} bytes; the file holds {available:,}",
            place=place,
            fix="the file is cut short or damaged: write it again",
        )
