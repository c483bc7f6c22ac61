"""Pictures of a run: its curves over the steps, which classes it mistakes for which, and what it makes of images."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import DataError, ZerfooError
from zerfoo_jax.experiment.activity_plot import bands, draw_activity
from zerfoo_jax.experiment.evaluate import measure
from zerfoo_jax.experiment.folder import existing
from zerfoo_jax.experiment.journal import read_metrics
from zerfoo_jax.experiment.pictures import draw_panels, generated_images, panels_of_images
from zerfoo_jax.experiment.trained import Trained, open_run
from zerfoo_jax.metrics import ConfusionMatrix

MAX_LABELLED = 40
"""With more classes than this, their names and counts would not be readable."""

Curves = dict[str, list[tuple[int, float]]]


def plot_run(path: Path) -> list[Path]:
    """Draws everything there is to draw; returns the files."""
    new_figure = figure_class()
    folder = existing(path)
    curves = curves_of(read_metrics(folder))
    if not curves:
        raise DataError(f"{str(folder.metrics)!r} holds nothing to draw yet", fix="train the run further")
    folder.plots.mkdir(exist_ok=True)
    written = [save_figure(_draw_curves(new_figure, curves), folder.plots / "curves.png")]
    if folder.activity.exists() and (shown := bands(folder.activity)):
        written.append(save_figure(draw_activity(new_figure, shown), folder.plots / "activity.png"))
    trained = open_run(path)
    if trained.wired.dataset.kind == "classification":
        classes = trained.wired.dataset.classes
        written.append(
            save_figure(_draw_confusion(new_figure, confusion(trained), classes), folder.plots / "confusion_matrix.png")
        )
    panels = generated_images(trained) or panels_of_images(trained)
    if panels:
        figure = draw_panels(new_figure, panels, len(trained.wired.dataset.classes))
        written.append(save_figure(figure, folder.plots / "pictures.png"))
    return written


def figure_class() -> Any:
    """Matplotlib's `Figure`, which needs no display and leaves no global state behind, as `pyplot` would."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ZerfooError("drawing needs matplotlib, which is not installed", fix="pip install 'zerfoo-jax[plot]'") from error
    return Figure


def save_figure(figure: Any, path: Path) -> Path:
    """Writes a picture; returns its file."""
    figure.savefig(path, dpi=120, bbox_inches="tight")
    return path


def curves_of(records: list[dict[str, Any]]) -> Curves:
    """Points (step, value) by the name of what was measured; values that were not finite are left out."""
    curves: Curves = defaultdict(list)
    for record in records:
        for name, value in record.items():
            if name != "step" and value is not None:
                curves[name].append((record["step"], value))
    return dict(curves)


def panels_of(curves: Curves) -> dict[str, list[str]]:
    """Curves that share a picture: those of one metric, in training and validation.

    >>> panels_of({"train/loss": [], "validation/loss": [], "learning_rate": []})
    {'loss': ['train/loss', 'validation/loss'], 'learning_rate': ['learning_rate']}
    """
    panels: dict[str, list[str]] = defaultdict(list)
    for name in curves:
        panels[name.rpartition("/")[2]].append(name)
    return dict(panels)


def _draw_curves(new_figure: Any, curves: Curves) -> Any:
    panels = panels_of(curves)
    figure = new_figure(figsize=(5 * len(panels), 4))
    axes = figure.subplots(1, len(panels), squeeze=False)
    for axis, (title, names) in zip(axes[0], panels.items(), strict=True):
        for name in names:
            steps, values = zip(*curves[name], strict=True)
            axis.plot(steps, values, label=name, marker="." if len(steps) < 30 else None)
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
        axis.legend()
    return figure


def confusion(trained: Trained) -> np.ndarray:
    """Counts of (true class, predicted class) over the validation part."""
    metric = ConfusionMatrix(num_classes=trained.wired.walk.visits[-1].output.shape[-1])
    return np.asarray(measure(trained.wired, metric, trained.state.best_params, trained.state.state))


def _draw_confusion(new_figure: Any, counts: np.ndarray, classes: tuple[str, ...]) -> Any:
    side = 1 + 0.5 * min(len(counts), MAX_LABELLED)
    figure = new_figure(figsize=(side, side))
    axis = figure.subplots()
    axis.imshow(counts, cmap="Blues")
    axis.set(xlabel="predicted", ylabel="true")
    if len(counts) <= MAX_LABELLED:
        _label_confusion(axis, counts, classes)
    axis.set_title(f"{np.trace(counts) / max(counts.sum(), 1):.1%} of {counts.sum():.0f} right")
    return figure


def _label_confusion(axis: Any, counts: np.ndarray, classes: tuple[str, ...]) -> None:
    # A model may have more outputs than the data has classes.
    names = [*classes[: len(counts)], *map(str, range(len(classes), len(counts)))]
    axis.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axis.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            dark = count > counts.max() / 2
            axis.text(column, row, f"{count:.0f}", ha="center", va="center", color="white" if dark else "black", fontsize=8)
