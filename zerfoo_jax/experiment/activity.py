"""What layers gave at the steps of a run, as a file: one line that says what it is, then one line for each step.

{"model_id": "digits", "recorded_at": "2026-01-31T12:00:00+00:00", "values": ["mean", "std", ...]}
{"step": 10, "seconds": 1.5, "events": [{"node": "dense_0", "values": [0.1, 0.9, ...]}, ...]}
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
import datetime
import json
import math
import operator
from pathlib import Path
from queue import Queue
import sys
import threading
import time
from typing import Any, SupportsIndex

import jax
import numpy as np

from zerfoo_jax.config.strict_json import strict_json
from zerfoo_jax.core.errors import DataError, FormatError
from zerfoo_jax.core.recording import SUMMARY, Activity
from zerfoo_jax.experiment.folder import write_atomically

MAX_WAITING = 64
"""Steps that may wait to be written; more would hold more and more memory."""
MAX_LINE = 2**26


class ActivityRecorder:
    """Writes the activity of steps to a file of at most `max_bytes`, from a thread of its own that waits for the device.

    A full file is thinned: every second of its steps goes, so that what is old is there in less and less detail and what is
    new in full. With `resume_step` the steps up to it stay that a file already holds; without, it begins anew. A step that is
    recorded again, as after a return to an earlier state, takes the place of what was there from it on. Numbers are
    written so that they read back as the same float32, those that are not finite as null. Raises `DataError` when the file
    cannot be written, at the next step or when it is closed.
    """

    def __init__(self, path: Path, model_id: str = "model", *, max_bytes: int = 2**24, resume_step: int | None = None):
        self._path, self._max_bytes, self._started = path, max_bytes, time.monotonic()
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._header = json.dumps({"model_id": model_id, "recorded_at": now, "values": list(SUMMARY)}) + "\n"
        self._lines: list[tuple[int, str]] = []
        if resume_step is not None and path.exists():
            with suppress(FormatError):  # what stands behind damage is lost
                for step in read_steps(path):
                    if step.number <= resume_step:
                        self._lines.append((step.number, json.dumps(step.line) + "\n"))
        self._error: Exception | None = None
        self._waiting: Queue[tuple[int, float, Activity] | None] = Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
        self._thread.start()

    def __enter__(self) -> "ActivityRecorder":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def record(self, step: SupportsIndex, activity: Activity) -> None:
        """Adds what a step gave; the arrays may still be being computed."""
        self._raise()
        if (number := operator.index(step)) < 0:
            raise DataError(f"step {number} is below 0", fix="count steps from 0")
        self._waiting.put((number, round(time.monotonic() - self._started, 3), activity))

    def close(self) -> None:
        """Writes out everything."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise DataError(f"cannot record activity in {str(self._path)!r}: {error}") from error

    def _run(self) -> None:
        try:
            size = self._rewrite()
        except OSError as error:
            self._error, size = error, 0
        while (waiting := self._waiting.get()) is not None:
            try:
                size = self._add(waiting[0], _line(*waiting), size)
            except Exception as error:  # the thread goes on taking what waits, so that no caller does
                self._error = error

    def _add(self, step: int, line: str, size: int) -> int:
        if len(line) > min(MAX_LINE, self._max_bytes // 2):
            raise ValueError(f"one step takes {len(line)} bytes of the {self._max_bytes} allowed; record fewer nodes")
        again = bool(self._lines) and step <= self._lines[-1][0]
        if again:
            self._lines = [held for held in self._lines if held[0] < step]
        self._lines.append((step, line))
        if again or size + len(line) > self._max_bytes:
            return self._rewrite()
        with open(self._path, "a") as file:
            file.write(line)
        return size + len(line)

    def _rewrite(self) -> int:
        while len(text := self._header + "".join(line for _, line in self._lines)) > self._max_bytes and len(self._lines) > 1:
            self._lines = self._lines[::-2][::-1]  # the newest stays
        write_atomically(self._path, text)
        return len(text)


def _line(step: int, seconds: float, activity: Activity) -> str:
    fetched = {path: np.asarray(value, np.float32).tolist() for path, value in jax.device_get(activity).items()}
    events = [{"node": path, "values": _plain(values)} for path, values in fetched.items()]
    return json.dumps({"step": step, "seconds": seconds, "events": events}) + "\n"


def _plain(values: Any) -> Any:
    """Nested lists of numbers with the nine digits that tell every float32 apart, and None for what is not finite."""
    if isinstance(values, list):
        return [_plain(part) for part in values]
    return float(f"{values:.9g}") if math.isfinite(values) else None


@dataclass(frozen=True)
class Step:
    """What one line of a recording holds."""

    number: int
    seconds: float
    events: tuple[tuple[str, Any], ...]

    @property
    def line(self) -> Mapping[str, Any]:
        """The mapping that the line is written as."""
        events = [{"node": node, "values": values} for node, values in self.events]
        return {"step": self.number, "seconds": self.seconds, "events": events}


def read_steps(path: Path) -> Iterator[Step]:
    """The steps of a recording in their order; half a line at the end, as a killed run leaves it, is passed over.

    Raises `DataError` where there is no file, `FormatError` with the line for one that is not such a recording.
    """
    lines = _lines_of(path)
    header = next(lines, None)
    if header is None or not _is_header(header[1]):
        raise FormatError("not a recording of activity", place=f"{path}:1", fix="the first line names model_id and recorded_at")
    last = -1
    for number, value in lines:
        step = _step(value)
        if step is None or step.number <= last:
            cause = "not a step of activity" if step is None else f"step {step.number} follows step {last}"
            raise FormatError(cause, place=f"{path}:{number}", fix="delete the damaged line")
        last = step.number
        yield step


def replay(path: Path) -> dict[str, Any]:
    """A whole recording in LOOM's form: `{model_id, recorded_at, duration_seconds, total_events, events: [{step, seconds, node,
    values}]}`. Errors are those of `read_steps`, which takes less memory.
    """
    steps = list(read_steps(path))
    _, header = next(_lines_of(path))
    events = [
        {"step": step.number, "seconds": step.seconds, "node": node, "values": values}
        for step in steps
        for node, values in step.events
    ]
    duration = max((step.seconds for step in steps), default=0.0)
    named = {key: header[key] for key in ("model_id", "recorded_at")}
    return {**named, "duration_seconds": duration, "total_events": len(events), "events": events}


def _lines_of(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}", fix="record activity first") from error
    with file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
            if not line.endswith(b"\n"):
                if len(line) > MAX_LINE:
                    raise FormatError(f"a line of over {MAX_LINE} bytes", place=f"{path}:{number}")
                return
            try:
                yield number, strict_json(line.decode())
            except (ValueError, RecursionError) as error:
                raise FormatError(f"not JSON: {str(error)[:200]}", place=f"{path}:{number}") from error


def _is_header(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("model_id", "recorded_at"))


def _step(value: Any) -> Step | None:
    if not isinstance(value, dict) or type(value.get("step")) is not int or not _is_number(value.get("seconds")):
        return None
    events = value.get("events")
    if value["step"] < 0 or not isinstance(events, list) or not all(map(_is_event, events)):
        return None
    return Step(value["step"], float(value["seconds"]), tuple((event["node"], event["values"]) for event in events))


def _is_event(value: Any) -> bool:
    known = isinstance(value, dict) and isinstance(value.get("node"), str) and "values" in value
    return known and all(part is None or _is_number(part) for part in _flat(value["values"]))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _flat(values: Any) -> Iterable[Any]:
    waiting = [values]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        else:
            yield part
