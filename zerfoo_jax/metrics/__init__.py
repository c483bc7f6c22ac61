"""Metrics: what is measured besides the loss, streaming and on the device.

A metric is a frozen dataclass with two pure functions: `update(outputs, targets, weights)` gives partial sums of one batch as
a pytree of arrays, and `compute(sums)` turns added-up sums into the value. Adding sums merges batches, devices and processes.
Adding one: its file, and a line here.
"""

from zerfoo_jax.metrics.base import Metric as Metric
from zerfoo_jax.metrics.classification import Accuracy as Accuracy
from zerfoo_jax.metrics.classification import ConfusionMatrix as ConfusionMatrix
from zerfoo_jax.metrics.information import BitsPerByte as BitsPerByte
from zerfoo_jax.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from zerfoo_jax.metrics.regression import RootMeanSquareError as RootMeanSquareError

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "bits_per_byte": BitsPerByte,
    "confusion_matrix": ConfusionMatrix,
    "mae": MeanAbsoluteError,
    "rmse": RootMeanSquareError,
}
