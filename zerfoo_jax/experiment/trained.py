"""A finished or interrupted run, opened for reading."""

from dataclasses import dataclass
from pathlib import Path

from zerfoo_jax.checkpoint import Checkpoints
from zerfoo_jax.experiment.folder import RunFolder, existing
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.wiring import Wired, wire
from zerfoo_jax.training import TrainState


@dataclass(frozen=True)
class Trained:
    """The parts of a run and its state at one step."""

    folder: RunFolder
    wired: Wired
    step: int
    state: TrainState


def open_run(path: Path, step: int | None = None) -> Trained:
    """The run in a folder, at its newest good checkpoint or at a given step.

    Raises `DataError` if the folder holds no run and `CheckpointError` if no checkpoint is good.
    """
    folder = existing(path)
    config, places = read_config(folder.config)
    wired = wire(config, places)
    with Checkpoints(folder.checkpoints) as checkpoints:
        restored = checkpoints.restore(wired.abstract_state(), step, repair=False)
    return Trained(folder, wired, restored.step, restored.tree)
