"""Handwritten digits, 8x8, packaged: the smallest real picture data set."""

from pathlib import Path

import numpy as np

from zerfoo_jax.data.baselines import majority_accuracy
from zerfoo_jax.data.npy import load_npz
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import EveryKth, every_kth

PACKAGED = Path(__file__).parent / "packaged"


def digits(*, held_out: EveryKth = 5) -> Dataset:
    """1,797 handwritten digits: inputs (8, 8, 1) float32 in 0..1, targets 0..9 int32 (packaged/ATTRIBUTION.md has the source).

    Options:
        held_out: every so-manieth picture is for validation.

    >>> data = digits()
    >>> len(data.train), len(data.validation)
    (1438, 359)
    """
    found = load_npz(str(PACKAGED / "digits.npz"))
    inputs, targets = found["inputs"].astype(np.float32) / 16, found["targets"].astype(np.int32)
    last = np.arange(len(targets)) % held_out == held_out - 1
    baselines = majority_accuracy(targets[~last], targets[last])
    return Dataset(*every_kth(ArraySource(inputs, targets), held_out), "classification", tuple("0123456789"), baselines)
