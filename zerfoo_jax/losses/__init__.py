"""Losses: pure functions `(outputs, targets, *, options) -> one number per example` (or per token).

Reduction is the training step's business: it weighs examples, and sums before it divides, so that accumulated and padded
batches give exactly the mean over what counts; by hand, `reduce(loss(...), "mean", weights)` does the same. A loss of which
some values count more than others gives `Weighted` ones; one that makes its gradients in the forward pass takes `weights` too
and sums itself. Adding one: a function in its family's file, and a line here.
"""

from collections.abc import Callable
from typing import Any

from zerfoo_jax.losses.base import Weighted as Weighted
from zerfoo_jax.losses.base import reduce as reduce
from zerfoo_jax.losses.classification import cross_entropy as cross_entropy
from zerfoo_jax.losses.regression import mse as mse
from zerfoo_jax.losses.vocabulary import vocabulary_cross_entropy as vocabulary_cross_entropy

LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
    "vocabulary_cross_entropy": vocabulary_cross_entropy,
}
