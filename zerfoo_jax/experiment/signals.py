"""Asking a run to stop: SIGTERM (the machine is wanted back) and Ctrl-C."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from zerfoo_jax.experiment import outcome

EXIT_CODES = {signal.SIGTERM: outcome.PREEMPTED, signal.SIGINT: outcome.INTERRUPTED}


class StopRequest:
    """While active, the first SIGTERM or SIGINT is noted in `exit_code`; a second SIGINT ends the process at once."""

    def __init__(self) -> None:
        self.exit_code = outcome.DONE
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in EXIT_CODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.exit_code and number == signal.SIGINT:
            os.write(2, b"interrupted again: stopping without waiting for the save\n")
            os._exit(outcome.INTERRUPTED)
        self.exit_code = EXIT_CODES[signal.Signals(number)]
