"""Metrics: what is measured besides the loss, streaming and on the device.

A metric is a frozen dataclass with two pure functions: `update(outputs, targets, weights)` gives partial sums of one batch as
a pytree of arrays, and `compute(sums)` turns added-up sums into the value. Adding sums merges batches, devices and processes.
Adding one: its file, and a line here.
"""

from zerfoo_jax.metrics.agreement import R2 as R2
from zerfoo_jax.metrics.agreement import Pearson as Pearson
from zerfoo_jax.metrics.agreement import Spearman as Spearman
from zerfoo_jax.metrics.base import Metric as Metric
from zerfoo_jax.metrics.classification import Accuracy as Accuracy
from zerfoo_jax.metrics.classification import ConfusionMatrix as ConfusionMatrix
from zerfoo_jax.metrics.classification import TopKAccuracy as TopKAccuracy
from zerfoo_jax.metrics.counts import F1 as F1
from zerfoo_jax.metrics.counts import MeanIoU as MeanIoU
from zerfoo_jax.metrics.counts import NegativePredictiveValue as NegativePredictiveValue
from zerfoo_jax.metrics.counts import Precision as Precision
from zerfoo_jax.metrics.counts import Recall as Recall
from zerfoo_jax.metrics.counts import Specificity as Specificity
from zerfoo_jax.metrics.information import BitsPerByte as BitsPerByte
from zerfoo_jax.metrics.information import Perplexity as Perplexity
from zerfoo_jax.metrics.ranking import AveragePrecision as AveragePrecision
from zerfoo_jax.metrics.ranking import RocAuc as RocAuc
from zerfoo_jax.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from zerfoo_jax.metrics.regression import MeanSquareError as MeanSquareError
from zerfoo_jax.metrics.regression import RootMeanSquareError as RootMeanSquareError

METRICS: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "bits_per_byte": BitsPerByte,
    "confusion_matrix": ConfusionMatrix,
    "f1": F1,
    "mae": MeanAbsoluteError,
    "mean_iou": MeanIoU,
    "mse": MeanSquareError,
    "negative_predictive_value": NegativePredictiveValue,
    "pearson": Pearson,
    "perplexity": Perplexity,
    "pr_auc": AveragePrecision,
    "precision": Precision,
    "r2": R2,
    "recall": Recall,
    "rmse": RootMeanSquareError,
    "roc_auc": RocAuc,
    "spearman": Spearman,
    "specificity": Specificity,
    "top_k_accuracy": TopKAccuracy,
}
