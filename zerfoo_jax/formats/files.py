"""Files on the disk: opened without following links, mapped instead of read, written whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
import io
import mmap
import os
from pathlib import Path
import stat
from typing import Any, BinaryIO

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
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)  # Python makes no file object of a folder
        raise FormatError("this is no ordinary file", place=str(path))
    with os.fdopen(handle, "rb") as file:
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


_progress: ContextVar[Callable[[int], None]] = ContextVar("progress")

PORTION = 64 * 2**20
"""Bytes that are written at once, so that progress can be seen."""


@contextmanager
def progress_to(report: Callable[[int], None]) -> Iterator[None]:
    """Within it `report` is told of every portion that `write_whole`'s files take, in bytes."""
    token = _progress.set(report)
    try:
        yield
    finally:
        _progress.reset(token)


class _Writer(io.BufferedWriter):
    """A file that says how far it is."""

    def write(self, buffer: Any, /) -> int:
        data = memoryview(buffer).cast("B") if memoryview(buffer).nbytes else memoryview(b"")
        report = _progress.get(None)
        for start in range(0, len(data), PORTION):
            count = super().write(data[start : start + PORTION])
            if report is not None:
                report(count)
        return len(data)


@contextmanager
def write_whole(path: Path, final: Callable[[], Path] | None = None) -> Iterator[BinaryIO]:
    """A file to write to that takes its name, flushed to the disk, only once everything has been written.

    `final` gives another path in the folder, for names that are known only then. Raises `FormatError` where the folder is
    missing or nothing may be written there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        raw = io.FileIO(temporary, "wb")
    except OSError as error:
        fix = "name a file in a folder that exists"
        raise FormatError(f"cannot write: {error.strerror}", place=str(path), fix=fix) from error
    try:
        with _Writer(raw) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path if final is None else final())
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Has the names in a folder written to the disk, so that files that are written later are not there before them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def padding(size: int, alignment: int = ALIGNMENT) -> int:
    """How many bytes are missing from a multiple of the alignment."""
    return -size % alignment
