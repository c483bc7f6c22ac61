"""Pictures of a search: how its scores grew, and what they cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.plots import figure_class, save_figure
from zerfoo_jax.experiment.schema import CheckpointSection
from zerfoo_jax.experiment.search.trial import Trial


def plot_search(folder: RunFolder, trials: Sequence[Trial], scored_by: CheckpointSection) -> Path:
    """Draws scores over the trials, with the best so far, and over the numbers of parameters, into `plots/search.png`.

    Raises `DataError` where no trial has a score, and `ZerfooError` without matplotlib.
    """
    figure = figure_class()(figsize=(10, 4), layout="constrained")
    scored = [trial for trial in trials if trial.score is not None]
    if not scored:
        raise DataError("no trial has a score to draw", fix="see the reasons in leaderboard.json")
    over_trials, over_parameters = figure.subplots(1, 2)
    _draw_course(over_trials, scored, scored_by)
    over_parameters.scatter([trial.parameters for trial in scored], [trial.score for trial in scored])
    over_parameters.set(xlabel="parameters", xscale="log", ylabel=scored_by.monitor)
    for axis in (over_trials, over_parameters):
        axis.grid(alpha=0.3)
    folder.plots.mkdir(exist_ok=True)
    return save_figure(figure, folder.plots / "search.png")


def _draw_course(axis: Any, scored: Sequence[Trial], scored_by: CheckpointSection) -> None:
    numbers, scores = [trial.number for trial in scored], np.array([trial.score for trial in scored])
    best = np.maximum.accumulate(scores) if scored_by.mode == "max" else np.minimum.accumulate(scores)
    axis.plot(numbers, scores, "o", label="trial")
    axis.step(numbers, best, where="post", label="best so far")
    axis.set(xlabel="trial", ylabel=scored_by.monitor)
    axis.legend()
