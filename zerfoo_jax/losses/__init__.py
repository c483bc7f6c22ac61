"""Losses: pure functions `(outputs, targets, *, options) -> one number per example` (or per token).

Reduction is the training step's business: it weighs examples, and sums before it divides, so that accumulated and padded
batches give exactly the mean over what counts. Adding one: a function in its family's file, and a line here.
"""

from collections.abc import Callable

from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.classification import cross_entropy as cross_entropy
from zerfoo_jax.losses.regression import mse as mse

LOSSES: dict[str, Callable[..., Array]] = {
    "cross_entropy": cross_entropy,
    "mse": mse,
}
