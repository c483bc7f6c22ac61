"""A picture of what layers gave over the steps of a run."""

from collections import defaultdict
import math
from pathlib import Path
from typing import Any

import numpy as np

from zerfoo_jax.core.recording import SUMMARY
from zerfoo_jax.experiment.activity import read_steps

MAX_SHOWN = 24
"""With more nodes than this, their panels would not be readable; the first ones are shown."""
COLUMNS = 4


def bands(path: Path) -> dict[str, np.ndarray]:
    """By node the rows (step, mean, standard deviation) of a recording of summaries, the means over the blocks of a stack."""
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for step in read_steps(path):
        for node, values in step.events:
            summary = np.asarray(values, np.float64).reshape(-1, len(SUMMARY)).mean(0)
            rows[node].append((step.number, summary[SUMMARY.index("mean")], summary[SUMMARY.index("std")]))
    return {node: np.array(found) for node, found in rows.items()}


def draw_activity(new_figure: Any, shown: dict[str, np.ndarray]) -> Any:
    """One panel for each node: its mean, and one standard deviation to both sides."""
    panels = list(shown.items())[:MAX_SHOWN]
    rows = math.ceil(len(panels) / COLUMNS)
    figure = new_figure(figsize=(4 * COLUMNS, 2.5 * rows))
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (node, points) in zip(axes.flat, panels, strict=False):
        steps, mean, std = points.T
        axis.plot(steps, mean)
        axis.fill_between(steps, mean - std, mean + std, alpha=0.3)
        axis.set_title(node, fontsize=8)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    return figure
