"""What a run does when numbers stop being finite."""

from collections.abc import Mapping
import math

from zerfoo_jax.core.errors import DivergedError
from zerfoo_jax.experiment.schema import NonfiniteSection

FIX = "lower the learning rate, clip gradients (optimizer.clip_norm), or see train.nonfinite.policy"


class RollbackError(Exception):
    """The run returns to its newest checkpoint and goes on behind `step`."""

    def __init__(self, step: int):
        super().__init__(step)
        self.step = step


class NonfiniteGuard:
    """Watches the values of each step and applies the policy.

    Raises `DivergedError` to stop, `RollbackError` to go back. Skipping itself happens inside the step; here it is counted.
    """

    def __init__(self, section: NonfiniteSection):
        self._section = section
        self._skipped_in_a_row = 0
        self.rollbacks = 0

    def observe(self, step: int, values: Mapping[str, float]) -> None:
        """Looks at the values of a finished step."""
        skipped = values.get("skipped", 0.0) > 0
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row > self._section.limit:
            raise DivergedError(f"{self._skipped_in_a_row} steps in a row were not finite, up to step {step}", fix=FIX)
        if not skipped and not all(map(math.isfinite, values.values())):
            self.react(step)

    def react(self, step: int) -> None:
        """Applies the policy to a step whose loss or parameters are not finite."""
        if self._section.policy == "rollback" and self.rollbacks < self._section.limit:
            self.rollbacks += 1
            raise RollbackError(step)
        raise DivergedError(f"loss or parameters are not finite after step {step}", fix=FIX)
