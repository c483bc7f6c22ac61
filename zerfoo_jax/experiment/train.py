"""The run itself: from the newest good checkpoint to the last step, in a way that survives being killed.

Whatever influences the result is either in the checkpoint (state, data position, patience) or a pure function of the config, so
a run that was stopped and started any number of times ends with the same bits as one that was not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
import math
import time
from typing import Any

import jax.numpy as jnp

from zerfoo_jax.checkpoint import Checkpoints, digest
from zerfoo_jax.core.errors import ConfigError, DivergedError, Problem
from zerfoo_jax.core.types import Array
from zerfoo_jax.experiment import early_stopping, outcome
from zerfoo_jax.experiment.diagnose import find_culprit
from zerfoo_jax.experiment.evaluate import make_evaluate
from zerfoo_jax.experiment.folder import RunFolder, write_atomically
from zerfoo_jax.experiment.journal import Journal, without_nonfinite
from zerfoo_jax.experiment.nonfinite import NonfiniteGuard, RollbackError
from zerfoo_jax.experiment.progress import Reporter
from zerfoo_jax.experiment.run_activity import RunActivity
from zerfoo_jax.experiment.signals import StopRequest
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.numeric.scaling import all_finite
from zerfoo_jax.training import TrainState


@dataclass
class Position:
    """How far a run is, besides its `TrainState`: plain data, saved in every checkpoint."""

    data_fingerprint: str
    step: int = 0
    data_digest: str = ""
    early_stopping: dict[str, Any] = field(default_factory=dict)
    rollbacks: int = 0
    stopped: str = ""
    """Why training ended before the last step; empty while it has not."""


@dataclass(frozen=True)
class Finished:
    """How a run ended: an exit code of `outcome`, and what `summary.json` says (empty if the run is to be continued)."""

    exit_code: int
    summary: Mapping[str, Any]


def train(wired: Wired, folder: RunFolder, started: float | None = None, deadline: float = math.inf) -> Finished:
    """Runs or resumes a run. `started` is when the program began (`time.monotonic`), for the time to the first loss.

    At the `deadline`, a time too, a run that has not ended saves and stops, as it does at a SIGTERM.
    """
    with folder.claim(wired.config, wired.folder):
        return Trainer(wired, folder, time.monotonic() if started is None else started, deadline).run()


class Trainer:
    """Trains one wired run in its folder."""

    def __init__(self, wired: Wired, folder: RunFolder, started: float, deadline: float):
        train, wired = wired.config.train, wired.writing_to(folder.path)
        self._wired, self._folder, self._started, self._deadline = wired, folder, started, deadline
        self._step = wired.make_step()
        self._evaluate = make_evaluate(wired)
        self._guard = NonfiniteGuard(train.nonfinite)
        self._evaluate_every = train.evaluate_every or max(1, wired.steps // 10)
        self._save_every = wired.config.checkpoint.every or self._evaluate_every
        self._position = Position(wired.dataset.fingerprint())
        self._scores: dict[str, float] = {}
        self._pending: tuple[int, dict[str, Array]] | None = None
        self._window: list[dict[str, float]] = []

    def run(self) -> Finished:
        """Trains to the end, or until it is to stop; returns how it ended. Raises `DivergedError` when the policy says stop."""
        config, section = self._wired.config, self._wired.config.checkpoint
        with (
            StopRequest(self._deadline) as self._stop,
            Checkpoints(
                self._folder.checkpoints,
                keep_last=section.keep_last,
                keep_best=section.keep_best,
                monitor=section.monitor,
                mode=section.mode,
                log=lambda text: self._reporter.say(text),
            ) as self._checkpoints,
        ):
            self._reporter = Reporter(self._wired.steps, config.train.batch_size, 0)
            state = self._resume()
            self._journal = Journal(self._folder, self._position.step, config.logging.tensorboard)
            try:
                with (
                    Reporter(self._wired.steps, config.train.batch_size, self._position.step) as self._reporter,
                    RunActivity(self._wired, self._folder, self._position.step) as self._activity,
                ):
                    state = self._train_with_rollbacks(state)
                    return self._finish(state)
            finally:
                self._journal.close()

    def _resume(self) -> TrainState:
        if not self._checkpoints.holds_any():
            return self._wired.create_state()
        restored = self._checkpoints.restore(self._wired.abstract_state())
        if restored.extra["data_fingerprint"] != self._position.data_fingerprint:
            raise ConfigError(
                "the data is not what this run began with",
                place=str(self._folder.path),
                fix="bring the old data back, or start a new run with another --run",
            )
        self._position = Position(**restored.extra)
        self._guard.rollbacks = self._position.rollbacks
        self._scores = dict(restored.metrics)
        self._reporter.say(f"resuming behind step {restored.step} of {self._wired.steps}")
        return restored.tree

    def _train_with_rollbacks(self, state: TrainState) -> TrainState:
        while True:
            try:
                return self._train(state)
            except RollbackError as error:
                state = self._roll_back(error.step)
            except DivergedError as error:
                raise self._explained(error) from None

    def _train(self, state: TrainState) -> TrainState:
        position, wired = self._position, self._wired
        if self._complete:
            return state
        with wired.batches(position.step, wired.steps, position.data_digest) as loader:
            for loaded in loader:
                self._activity.look(loaded.state["step"], state, loaded.batch)
                state, values = self._step(state, loaded.batch)
                # Looked at one step late: by now the step before has finished, so reading it keeps the device busy.
                self._observe_pending()
                position.step, position.data_digest = loaded.state["step"], loaded.state["digest"]
                self._pending = (position.step, values)
                stopping = bool(self._stop.exit_code)  # asked once, so that what stops has been saved
                self._pause(state, stopping)
                if self._complete or stopping:
                    break
        return state

    @property
    def _complete(self) -> bool:
        return self._position.step >= self._wired.steps or bool(self._position.stopped)

    def _pause(self, state: TrainState, stopping: bool) -> None:
        """Evaluates and saves where it is due."""
        step = self._position.step
        last = step == self._wired.steps
        if step % self._evaluate_every == 0 or last:
            self._observe_pending()
            self._score(state)
        if step % self._save_every == 0 or last or self._position.stopped or stopping:
            self._observe_pending()
            self._save(state)

    def _observe_pending(self) -> None:
        if self._pending is None:
            return
        step, arrays = self._pending
        self._pending = None
        values = {name: float(value) for name, value in arrays.items()}
        if self._started:
            self._reporter.say(f"first loss {values['loss']:.4f} after {time.monotonic() - self._started:.1f} s")
            self._started = 0.0
        self._guard.observe(step, values)
        self._window.append(values)
        if step % self._wired.config.logging.every == 0 or step == self._wired.steps:
            self._log(step)

    def _log(self, step: int) -> None:
        means = {name: sum(v[name] for v in self._window) / len(self._window) for name in self._window[0]}
        # Of the last step, where a schedule looks at the loss; a mean over the window would be no rate that was used.
        rate = float(self._wired.schedule(step)) * self._window[-1].get("learning_rate_scale", 1.0)
        self._window.clear()
        speed = self._reporter.step(step, means)
        values = {f"train/{name}": value for name, value in means.items()}
        extra = {"learning_rate": rate, "examples_per_second": speed}
        self._journal.write(step, {**values, **extra})

    def _score(self, state: TrainState) -> None:
        step, section = self._position.step, self._wired.config.train.early_stopping
        self._scores = self._evaluate(state.best_params, state.state)
        self._journal.write(step, self._scores)
        self._reporter.evaluated(step, self._scores)
        if not all(map(math.isfinite, self._scores.values())):
            self._reporter.say("these scores are not finite: is there NaN, or a class the model lacks, in the validation data?")
        if section:
            self._position.early_stopping = early_stopping.observe(section, self._position.early_stopping, self._scores)
            if early_stopping.exhausted(section, self._position.early_stopping):
                self._position.stopped = f"{section.monitor} has not improved for {section.patience} evaluations"
                self._reporter.say(f"stopping early: {self._position.stopped}")

    def _save(self, state: TrainState) -> None:
        # A gradient may be NaN where the loss is not: such parameters must never become the newest checkpoint.
        if not bool(all_finite(state.params)):
            self._guard.react(self._position.step)
        scored = self._position.step % self._evaluate_every == 0 or self._complete
        self._checkpoints.save(self._position.step, state, extra=vars(self._position), metrics=self._scores if scored else {})

    def _roll_back(self, bad_step: int) -> TrainState:
        self._pending, self._window = None, []
        self._checkpoints.wait()
        rollbacks = self._guard.rollbacks
        self._position = Position(self._position.data_fingerprint)
        state = self._resume()
        self._reporter.say(f"step {bad_step} was not finite: back to step {self._position.step}, going on with later data")
        self._guard.rollbacks = self._position.rollbacks = rollbacks
        self._skip_data(bad_step)
        return state.replace(step=jnp.int32(bad_step))

    def _skip_data(self, step: int) -> None:
        """Moves the data position forward without training."""
        position = self._position
        with self._wired.batches(position.step, step, position.data_digest, place=lambda batch: batch) as loader:
            for loaded in loader:
                position.step, position.data_digest = loaded.state["step"], loaded.state["digest"]

    def _explained(self, error: DivergedError) -> DivergedError:
        self._checkpoints.wait()
        if error.problems[0].place:  # the engine has seen where
            return error
        self._reporter.say("replaying from the newest checkpoint to find the layer ...")
        culprit = find_culprit(self._wired, self._checkpoints, self._step)
        place = str(culprit) if culprit else "not reproduced when replayed"
        fix = "look at the data, or leave such examples out" if culprit and culprit.in_data else ""
        return DivergedError([Problem(p.cause, place, fix or p.fix) for p in error.problems])

    def _finish(self, state: TrainState) -> Finished:
        self._checkpoints.wait()
        if not self._complete:
            self._reporter.say(f"stopped and saved at step {self._position.step}; the same command goes on from there")
            return Finished(self._stop.exit_code, {})
        if not self._scores:
            self._scores = self._evaluate(state.best_params, state.state)
        summary = {
            "steps": self._position.step,
            "stopped_early": self._position.stopped,
            "metrics": without_nonfinite(self._scores),
            "baselines": dict(self._wired.dataset.baselines),
            "compilations": self._step.compilations,
            "sha256": {
                "params": digest(state.params),
                "opt_state": digest(state.opt_state),
                "state": digest(state),
                "data_order": self._position.data_digest,
            },
        }
        write_atomically(self._folder.summary, json.dumps(summary, indent=2) + "\n")
        return Finished(outcome.DONE, summary)
