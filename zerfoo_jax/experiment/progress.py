"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere. All of it goes to stderr."""

from collections.abc import Mapping
import contextlib
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 1.0


class Reporter:
    """Shows the progress of a run of `steps` steps, of `batch_size` examples each, starting behind step `start`."""

    def __init__(self, steps: int, batch_size: int, start: int, console: Console | None = None):
        self._console = console or Console(stderr=True)
        self._steps, self._batch_size, self._start = steps, batch_size, start
        self._speed = _Speed(start)
        self._last_line = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task("compiling", total=self._steps, completed=self._start)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            with contextlib.suppress(OSError):  # nobody reads any more: no reason to stop a run
                print(text, file=sys.stderr, flush=True)

    def step(self, step: int, values: Mapping[str, float]) -> float:
        """Shows where the run is; returns the speed in examples per second since the last call."""
        speed = self._speed.since_last(step) * self._batch_size
        text = f"{describe(values)}  {speed:,.0f} examples/s"
        if self._bar:
            self._bar.update(self._task, completed=step, description=text)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES or step == self._steps:
            self._last_line = time.monotonic()
            overall = self._speed.overall(step)
            left = f"  {(self._steps - step) / overall:.0f} s left" if overall else ""
            self.say(f"step {step}/{self._steps}  {text}{left}")
        return speed

    def evaluated(self, step: int, values: Mapping[str, float]) -> None:
        """Shows the result of an evaluation."""
        self.say(f"step {step}/{self._steps}  {describe(values)}")


class _Speed:
    """Steps per second, since the last look and over all, where the time before the first look, which compiles, is left out."""

    def __init__(self, start: int):
        self._step, self._time = start, time.monotonic()
        self._first: tuple[int, float] | None = None

    def since_last(self, step: int) -> float:
        now = time.monotonic()
        speed = (step - self._step) / max(now - self._time, 1e-9)
        self._step, self._time = step, now
        self._first = self._first or (step, now)
        return speed

    def overall(self, step: int) -> float:
        first_step, first_time = self._first or (step, 0.0)
        return (step - first_step) / max(time.monotonic() - first_time, 1e-9)


def describe(values: Mapping[str, float]) -> str:
    """Numbers by name in one line.

    >>> describe({"loss": 0.12345, "validation/accuracy": 0.98})
    'loss 0.1235  validation/accuracy 0.9800'
    """
    return "  ".join(
        f"{name} {value:.4f}" if abs(value) >= 1e-3 or value == 0 else f"{name} {value:.2e}" for name, value in values.items()
    )
