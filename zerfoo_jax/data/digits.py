"""Handwritten digits, 8x8, packaged: the smallest real picture data set."""

from pathlib import Path
from typing import Literal

import numpy as np

from zerfoo_jax.data.baselines import majority_accuracy
from zerfoo_jax.data.npy import load_npz
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import EveryKth, every_kth, held_rows

PACKAGED = Path(__file__).parent / "packaged"


def digits(*, held_out: EveryKth = 5, targets: Literal["class", "picture"] = "class") -> Dataset:
    """1,797 handwritten digits: inputs (8, 8, 1) float32 in 0..1, targets 0..9 int32 (packaged/ATTRIBUTION.md has the source).

    Options:
        held_out: every so-manieth picture is for validation.
        targets: "picture" makes the inputs the targets too, for models that reconstruct or generate. Baseline: the root mean
            squared error of always giving the mean training picture.

    >>> data = digits()
    >>> len(data.train), len(data.validation)
    (1438, 359)
    """
    inputs, classes = load_digits()
    held = held_rows(len(classes), held_out)
    if targets == "picture":
        error = float(np.sqrt(np.mean((inputs[held] - inputs[~held].mean(axis=0, keepdims=True)) ** 2)))
        return Dataset(*every_kth(ArraySource(inputs, inputs), held_out), "regression", baselines={"mean_picture_rmse": error})
    baselines = majority_accuracy(classes[~held], classes[held])
    return Dataset(*every_kth(ArraySource(inputs, classes), held_out), "classification", tuple("0123456789"), baselines)


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """All pictures (1797, 8, 8, 1) float32 in 0..1 and what they show (1797,) int32."""
    found = load_npz(str(PACKAGED / "digits.npz"))
    return found["inputs"].astype(np.float32) / 16, found["targets"].astype(np.int32)
