"""Asking a run to stop: SIGTERM (the machine is wanted back), Ctrl-C, and the end of its time."""

import math
import os
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

from zerfoo_jax.experiment import outcome

EXIT_CODES = {signal.SIGTERM: outcome.PREEMPTED, signal.SIGINT: outcome.INTERRUPTED}


class StopRequest:
    """While active, the first SIGTERM or SIGINT is noted in `exit_code`; a second SIGINT ends the process at once.

    From `deadline` on, a time of `time.monotonic`, it is as if SIGTERM had come.
    """

    def __init__(self, deadline: float = math.inf) -> None:
        self._noted, self._deadline = outcome.DONE, deadline
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in EXIT_CODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """What the process should end with; `DONE` while nothing asks it to stop."""
        late = not self._noted and time.monotonic() >= self._deadline
        return outcome.PREEMPTED if late else self._noted

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noted and number == signal.SIGINT:
            os.write(2, b"interrupted again: stopping without waiting for the save\n")
            os._exit(outcome.INTERRUPTED)
        self._noted = EXIT_CODES[signal.Signals(number)]
