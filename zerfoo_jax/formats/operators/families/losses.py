"""Losses over the second axis of (batch, classes, *places)."""

import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.families.activations import LogSoftmax_13
from zerfoo_jax.numeric import widened


def NegativeLogLikelihoodLoss(
    x: Array, target: Array, weight: Array | None = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> Array:
    """-Σ w[t] x[t] / Σ w[t] for targets t other than `ignore_index`; with `reduction` = "sum" not divided, "none" not added."""
    if x.ndim < 2 or target.shape != (x.shape[0], *x.shape[2:]):
        raise ShapeError(f"targets of shape {tuple(target.shape)} are not for an input of shape {tuple(x.shape)}")
    wide, target = widened(jnp.asarray(x)), jnp.asarray(target)
    counts = jnp.ones(target.shape, jnp.bool_) if ignore_index is None else target != ignore_index
    target = jnp.where(counts, target, jnp.zeros((), target.dtype))
    picked = jnp.take_along_axis(wide, target[:, None], axis=1, mode="clip")[:, 0]
    each = jnp.ones(target.shape, wide.dtype)
    if weight is not None:
        each = jnp.take(widened(jnp.asarray(weight)).astype(wide.dtype), target, mode="clip")
    each = jnp.where(counts, each, jnp.zeros((), wide.dtype))
    return _reduced(-picked, each, reduction).astype(x.dtype)


def _reduced(losses: Array, weights: Array, reduction: str) -> Array:
    if reduction not in ("mean", "sum", "none"):
        raise FormatError(f"there is no reduction {reduction!r}", fix="known: mean, sum, none")
    weighted = jnp.where(weights == 0, jnp.zeros((), losses.dtype), losses * weights)
    if reduction == "none":
        return weighted
    total = jnp.sum(weighted)
    return total / jnp.sum(weights) if reduction == "mean" else total


def SoftmaxCrossEntropyLoss(
    scores: Array, labels: Array, weights: Array | None = None, *, ignore_index: int | None = None, reduction: str = "mean"
) -> tuple[Array, Array]:
    """`NegativeLogLikelihoodLoss` of the log of the softmax, and that log."""
    logs = LogSoftmax_13(widened(scores), axis=1)
    loss = NegativeLogLikelihoodLoss(logs, labels, weights, ignore_index=ignore_index, reduction=reduction)
    return loss.astype(scores.dtype), logs.astype(scores.dtype)
