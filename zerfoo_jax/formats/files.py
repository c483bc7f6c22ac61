"""Files on the disk: opened without following links, mapped instead of read, written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
import mmap
import os
from pathlib import Path
import stat
from typing import BinaryIO

from zerfoo_jax.core.errors import FormatError, brief

ALIGNMENT = 64
"""Bytes: where weights begin, so that JAX on a CPU can use them in place."""


def read_head(path: Path, size: int = 64) -> bytes:
    """The first bytes of a file."""
    with _opened(path) as file:
        return file.read(size)


def read_bytes(path: Path, limit: int) -> bytes:
    """The whole file, if it is no larger than the limit; else `FormatError`."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise FormatError(f"the file has {size:,} bytes, over the limit of {limit:,}", place=str(path))
        return file.read(limit + 1)


def map_file(path: Path) -> memoryview:
    """The file's bytes, mapped into memory and read only; nothing is read until it is used.

    The view keeps the map open, and so do arrays made from it. A file that is replaced by `write_whole` stays as it was for
    those who have it mapped.
    """
    with _opened(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file; raises `FormatError` for what is missing, a folder, a device or cannot be read."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for someone to write to it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot open the file: {getattr(error, 'strerror', None) or error}", place=str(path)) from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FormatError("this is no ordinary file", place=str(path))
        yield file


def beside(folder: Path, name: str, place: str) -> Path:
    """The file of that name in a folder, for names that come from another file.

    Raises `FormatError` for names that lead out of the folder, and for links, folders, devices and files with several names
    (hard links): a model must not make its reader open something else.
    """
    if not name or "\0" in name or "\\" in name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise FormatError(f"the file name {brief(name)} leads out of the model's folder", place=place)
    path = folder
    for part in Path(name).parts:
        path = path / part
        if path.is_symlink():
            raise FormatError(f"{brief(name)} is or passes through a symbolic link", place=place)
    try:
        found = path.lstat()
    except (OSError, ValueError):
        raise FormatError(f"there is no file {brief(name)} in {folder}", place=place) from None
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise FormatError(f"{brief(name)} is no ordinary file with one name", place=place)
    return path


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes its name, flushed to the disk, only once everything has been written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def padding(size: int, alignment: int = ALIGNMENT) -> int:
    """How many bytes are missing from a multiple of the alignment."""
    return -size % alignment
