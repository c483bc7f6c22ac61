"""The ways in which a checkpoint can fail, told apart because each asks for something else."""

from contextlib import contextmanager
import errno
from pathlib import Path
from typing import TYPE_CHECKING

from zerfoo_jax.core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator


class DamagedError(CheckpointError):
    """The folder does not hold what was saved: it is put aside and an older one is used."""


class UnreadableError(CheckpointError):
    """The folder may be whole, but it cannot be read here and now: an older one is used and this one stays where it is."""


_WAY_OUT = {
    errno.ENOSPC: "free some disk space, or lower keep_last and keep_best",
    errno.EDQUOT: "free some of the disk quota, or lower keep_last and keep_best",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "choose a folder on a file system that is writable",
    errno.EACCES: "check who owns the folder and its permissions",
    errno.EPERM: "check who owns the folder and its permissions",
    errno.EEXIST: "something that is not a folder has this name: move it away",
    errno.ENOTDIR: "something that is not a folder stands in this path: move it away",
}


@contextmanager
def failing_as(kind: type[CheckpointError], doing: str, path: Path) -> "Iterator[None]":
    """Turns whatever a file system or a library raises inside into one `kind` that names the path."""
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        place = str(error.filename or path)
        raise kind(f"{doing}: {error.strerror or error}", place=place, fix=_WAY_OUT.get(error.errno or 0, "")) from error
    except Exception as error:
        raise kind(f"{doing}: {type(error).__name__}: {first_line(error)}", place=str(path)) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else ""
