"""A file of JSON lines that does not grow without end."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from zerfoo_jax.core.errors import ConfigError


class Journal:
    """Appends records to a file. Past half of `limit` bytes the file is renamed to `<name>.1`, in place of the one before, and
    begun anew: the latest records are always there, and both files together hold no more than about `limit` bytes."""

    def __init__(self, path: Path, limit: int):
        self._path, self._limit = path, limit

    def __enter__(self) -> "Journal":
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Appends one record."""
        self._file.write(json.dumps(record) + "\n")
        if self._file.tell() > self._limit // 2:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._open()

    def _open(self) -> None:
        try:
            self._file = open(self._path, "a")  # noqa: SIM115 - closed on leaving, or when it is full
        except OSError as error:
            raise ConfigError(
                f"cannot write {str(self._path)!r}: {error.strerror}", place="log", fix="name another file"
            ) from error
