"""One trial of a search: an ordinary run in a folder of its own, and what came of it."""

from dataclasses import asdict, dataclass
import json
import math
from pathlib import Path
import time
from typing import Any

from zerfoo_jax.config.load import Places
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import problems_of
from zerfoo_jax.core.sizes import size_of
from zerfoo_jax.experiment.folder import RunFolder, write_atomically
from zerfoo_jax.experiment.outcome import DONE
from zerfoo_jax.experiment.schema import Experiment
from zerfoo_jax.experiment.train import train
from zerfoo_jax.experiment.wiring import wire
from zerfoo_jax.models.generated import Genome
from zerfoo_jax.models.generated.genome import genome_from

RECORD = "trial.json"


@dataclass(frozen=True)
class Trial:
    """A finished trial: its genome, and its score or the reason why it has none."""

    number: int
    genome: Genome
    score: float | None
    parameters: int
    seconds: float
    reason: str = ""

    def rank(self, mode: str) -> tuple[float, int, int]:
        """What sorts trials, the best first: by score, then by parameters, then by age; those without a score last."""
        if self.score is None:
            return math.inf, self.parameters, self.number
        return -self.score if mode == "max" else self.score, self.parameters, self.number


def config_of(template: Experiment, number: int, genome: Genome) -> Experiment:
    """The config of a trial's run: that of the search, with the genome in `model` and its learning rate in `optimizer`."""
    return template.model_copy(
        update={
            "name": f"{template.name}_{number:03d}",
            "model": {**template.model, "genome": genome.spec()},
            "optimizer": template.optimizer.model_copy(update={"learning_rate": genome.learning_rate}),
            "space": None,
            "search": None,
        }
    )


def run_trial(
    config: Experiment, places: Places, path: Path, number: int, genome: Genome, deadline: float = math.inf
) -> tuple[Trial | None, int]:
    """Runs or resumes a trial in its folder; gives it and an exit code, or None for it where a signal or the deadline came.

    A run that diverges, or fails in another way, is a trial too. Raises `ConfigError` for what is wrong with every trial.
    """
    started = time.monotonic()
    wired = wire(config, places)
    score, reason = None, ""
    try:
        finished = train(wired, RunFolder(path), deadline=deadline)
    except ConfigError:
        raise
    except Exception as error:  # whatever a model of so many can do
        reason = problems_of(error)[0].cause
    else:
        if finished.exit_code != DONE:
            return None, finished.exit_code
        score = finished.summary["metrics"][config.checkpoint.monitor]
        reason = "" if score is not None else f"{config.checkpoint.monitor} is not finite"
    trial = Trial(
        number, genome, score, size_of(wired.walk.visits[-1].params).numbers, round(time.monotonic() - started, 2), reason
    )
    write_atomically(path / RECORD, json.dumps(as_record(trial), indent=2) + "\n")
    return trial, DONE


def as_record(trial: Trial) -> dict[str, Any]:
    """The trial as JSON knows it."""
    return {**asdict(trial), "genome": trial.genome.spec()}


def read_trial(path: Path, number: int) -> Trial | None:
    """The finished trial in a folder; None where there is none, or its record cannot be read: then it is to be run again."""
    try:
        record = json.loads((path / RECORD).read_text())
        trial = Trial(**{**record, "genome": genome_from(record["genome"])})
        scored = trial.score is None or math.isfinite(trial.score)
        return trial if scored and trial.number == number and trial.parameters >= 0 and trial.seconds >= 0 else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ConfigError):
        return None
