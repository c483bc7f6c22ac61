"""Where a run's numbers go: `metrics.jsonl` always, TensorBoard events on request."""

from collections.abc import Iterator, Mapping
import json
import math
from pathlib import Path
from queue import SimpleQueue
import threading
from typing import Any

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.experiment.folder import RunFolder, write_atomically

FORMAT_HINT = "delete the damaged line; every line is one JSON object"


class Journal:
    """Writes one record per logged step. Opening it for a resumed run drops what was written after the resumed step."""

    def __init__(self, folder: RunFolder, resume_step: int, tensorboard: bool):
        if folder.metrics.exists():
            kept = [json.dumps(record) + "\n" for record in _readable(folder.metrics) if record["step"] <= resume_step]
            write_atomically(folder.metrics, "".join(kept))
        self._file = open(folder.metrics, "a")  # noqa: SIM115 - closed by close()
        self._events = _Events(folder.path, resume_step) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Adds the record of one step; numbers that are not finite are written as null."""
        self._file.write(json.dumps(without_nonfinite({"step": step, **values})) + "\n")
        self._file.flush()
        if self._events:
            self._events.write(step, values)

    def close(self) -> None:
        """Writes out everything."""
        self._file.close()
        if self._events:
            self._events.close()


def without_nonfinite(values: Mapping[str, float]) -> dict[str, float | None]:
    """The numbers with None for NaN and infinities, which JSON does not know.

    >>> without_nonfinite({"loss": math.nan, "accuracy": 0.5})
    {'loss': None, 'accuracy': 0.5}
    """
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def read_metrics(folder: RunFolder) -> list[dict[str, Any]]:
    """All records of a run; `DataError` with the line where one cannot be read."""
    records = []
    try:
        lines = folder.metrics.read_text(errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {str(folder.metrics)!r}: {error.strerror}", fix="train the run first") from error
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is None:
            raise DataError("not a record of metrics", place=f"{folder.metrics}:{number}", fix=FORMAT_HINT)
        records.append(record)
    return records


def _readable(path: Path) -> Iterator[dict[str, Any]]:
    """The records that can be read: a killed process may leave half a line at the end."""
    return filter(None, map(_record, path.read_text(errors="replace").splitlines()))


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


class _Events:
    """TensorBoard event files, written by a thread of their own: loading the library must not delay the first loss."""

    def __init__(self, path: Path, resume_step: int):
        self._path, self._purge_step = path, resume_step + 1
        self._records: SimpleQueue[tuple[int, dict[str, float]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tensorboard", daemon=True)
            self._thread.start()
        self._records.put((step, dict(values)))

    def _run(self) -> None:
        from tensorboardX import SummaryWriter

        with SummaryWriter(str(self._path), purge_step=self._purge_step) as writer:
            while (record := self._records.get()) is not None:
                step, values = record
                for name, value in values.items():
                    writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self._thread is not None:
            self._records.put(None)
            self._thread.join()
