"""Pictures of what a model of images does: what went in, what came out and what should have."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from zerfoo_jax.experiment.predict import outputs_of, validation_rows
from zerfoo_jax.experiment.trained import Trained
from zerfoo_jax.layers import AdversarialPair
from zerfoo_jax.models.gan import sample_images

MAX_SHOWN = 8
Panel = tuple[str, np.ndarray]
"""A heading, and pictures (n, height, width, 1 or 3) in 0..1 or class ids (n, height, width)."""


def panels_of_images(trained: Trained) -> list[Panel]:
    """What to show of the first validation examples; nothing unless inputs and targets are images of one size."""
    inputs, targets, _ = validation_rows(trained, MAX_SHOWN)
    if not is_image(inputs) or targets.shape[1:3] != inputs.shape[1:3]:
        return []
    outputs = outputs_of(trained, inputs)
    if outputs.shape[:3] != inputs.shape[:3]:
        return []
    if trained.wired.dataset.kind == "classification":
        return [("input", inputs), ("truth", targets), ("predicted", outputs.argmax(-1))]
    return [("input", inputs), ("output", outputs)] if is_image(outputs) else []


def generated_images(trained: Trained) -> list[Panel]:
    """What a generator makes of random numbers, beside real images; nothing unless the model has a generator of images."""
    model = trained.wired.model
    if not isinstance(model, AdversarialPair):
        return []
    real, _, _ = validation_rows(trained, MAX_SHOWN)
    state, key = trained.state, jax.random.key(trained.wired.config.seed)
    made = np.asarray(sample_images(model, state.best_params, state.state, key, 3 * MAX_SHOWN))
    if not is_image(made):
        return []
    rows = made.reshape(3, MAX_SHOWN, *made.shape[1:])
    return [("real", real), *(("generated" if i == 0 else "", row) for i, row in enumerate(rows))]


def is_image(array: np.ndarray) -> bool:
    """Whether an array is a batch of grey or colour pictures.

    >>> is_image(np.zeros((2, 8, 8, 3))), is_image(np.zeros((2, 8, 8, 10))), is_image(np.zeros((2, 8)))
    (True, False, False)
    """
    return array.ndim == 4 and array.shape[-1] in (1, 3)


def draw_panels(new_figure: Any, panels: Sequence[Panel], classes: int) -> Any:
    """One row of pictures per panel; class ids in one colour per class."""
    columns = len(panels[0][1])
    figure = new_figure(figsize=(1.2 * columns, 1.3 * len(panels)))
    axes = figure.subplots(len(panels), columns, squeeze=False)
    for row, (title, pictures) in zip(axes, panels, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            axis.set_axis_off()
            if picture.ndim == 2:
                axis.imshow(picture, cmap="tab20", vmin=0, vmax=max(classes - 1, 1), interpolation="nearest")
            else:
                shown = np.clip(picture[..., 0] if picture.shape[-1] == 1 else picture, 0, 1)
                axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        row[0].set_title(title, fontsize=8, loc="left")
    return figure
