"""Opening files that a person named: what is not a readable regular file is a `DataError` that says so."""

from pathlib import Path
import stat

from zerfoo_jax.core.errors import DataError, nearest


def regular_file(path: str) -> Path:
    """The path of an existing regular file; a folder, a pipe, a device or nothing at all is a `DataError`."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"cannot open {path!r}: {_reason(error)}", place=repr(path), fix=_way_out(path)) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a special file"
        raise DataError(f"{path!r} is {kind}, not a file", place=path, fix="give the path of a file")
    return Path(path)


def read_bytes(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {_reason(error)}", place=str(path)) from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _way_out(path: str) -> str:
    try:
        beside = [file.name for file in Path(path).parent.iterdir()]
    except (OSError, ValueError):
        return "check the path"
    return nearest(Path(path).name, beside[:50]) if beside else "check the path"
