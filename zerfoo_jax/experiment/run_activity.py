"""What a run writes down of its layers, if its config says so."""

from contextlib import ExitStack
from typing import Self

from zerfoo_jax.core.types import Batch
from zerfoo_jax.experiment.activity import ActivityRecorder
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.training import TrainState


class RunActivity(ExitStack):
    """Records summaries into `activity.jsonl` of a run that is behind step `start`; does nothing unless the config asks."""

    def __init__(self, wired: Wired, folder: RunFolder, start: int):
        super().__init__()
        self._step, self._wired, self._folder, self._start = wired.make_activity_step(), wired, folder, start

    def __enter__(self) -> Self:
        if self._step:
            recorder = ActivityRecorder(self._folder.activity, self._wired.config.name, resume_step=self._start)
            self._recorder = self.enter_context(recorder)
        return self

    def look(self, step: int, state: TrainState, batch: Batch) -> None:
        """Records what the layers give in the step that is to come, where it is due."""
        activity = self._wired.config.logging.activity
        if self._step and activity and step % activity.every == 0:
            self._recorder.record(step, self._step(state, batch))
