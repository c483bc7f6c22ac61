"""A finished or interrupted run, opened for reading."""

from dataclasses import dataclass
import logging
from pathlib import Path

from zerfoo_jax.checkpoint import Checkpoints
from zerfoo_jax.experiment.folder import RunFolder, existing
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.wiring import Wired, wire
from zerfoo_jax.training import TrainState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """The parts of a run and its state at one step."""

    folder: RunFolder
    wired: Wired
    step: int
    state: TrainState


def open_run(path: Path, step: int | None = None, best: bool = False) -> Trained:
    """The run in a folder: at its newest good checkpoint, at a given step, or at the best step that is kept.

    Raises `ConfigError` if the folder holds no run and `CheckpointError` if no checkpoint is good. Warns where the data is not
    what the run was trained on.
    """
    folder = existing(path)
    config, places = read_config(folder.config)
    wired = wire(config, places)
    section = config.checkpoint
    with Checkpoints(folder.checkpoints, monitor=section.monitor, mode=section.mode) as checkpoints:
        restored = checkpoints.restore(wired.abstract_state(), checkpoints.best_step() if best else step, repair=False)
    if restored.extra.get("data_fingerprint") != wired.dataset.fingerprint():
        logger.warning("the data has changed since %s was trained: scores do not compare", path)
    return Trained(folder, wired, restored.step, restored.tree)
