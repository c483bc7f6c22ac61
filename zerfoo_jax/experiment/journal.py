"""Where a run's numbers go: `metrics.jsonl` always, TensorBoard events on request."""

from collections.abc import Iterator, Mapping
import json
import math
from pathlib import Path
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
        record = {"step": step, **{name: value if math.isfinite(value) else None for name, value in values.items()}}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        if self._events:
            self._events.write(step, values)

    def close(self) -> None:
        """Writes out everything."""
        self._file.close()
        if self._events:
            self._events.close()


def read_metrics(folder: RunFolder) -> list[dict[str, Any]]:
    """All records of a run; `DataError` with the line where one cannot be read."""
    records = []
    try:
        lines = folder.metrics.read_text().splitlines()
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
    return filter(None, map(_record, path.read_text().splitlines()))


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


class _Events:
    """TensorBoard event files; the library is loaded in the background, beside the first compilation."""

    def __init__(self, path: Path, resume_step: int):
        self._arguments = (str(path), resume_step + 1)
        self._writer: Any = None
        self._opening = threading.Thread(target=self._open, name="tensorboard-open", daemon=True)
        self._opening.start()

    def _open(self) -> None:
        from tensorboardX import SummaryWriter

        logdir, purge_step = self._arguments
        self._writer = SummaryWriter(logdir, purge_step=purge_step, write_to_disk=True)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        self._opening.join()
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._opening.join()
        self._writer.close()
