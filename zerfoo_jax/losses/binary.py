"""Losses for yes or no: one number per question, targets 0 or 1 (or between, as probabilities)."""

import jax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, PositiveFloat
from zerfoo_jax.core.shapes import expect_axes, expect_same_shape
from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.base import mean_per_example
from zerfoo_jax.numeric import widened

LEAST_LOG = -100.0


def binary_cross_entropy(outputs: Array, targets: Array) -> Array:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p, averaged over all axes but the first: (batch, ...) -> (batch,).

    The logarithm of 0 counts as -100, as in torch, and has no gradient. Raises `ShapeError` where the shapes differ.

    >>> float(binary_cross_entropy(jnp.array([0.5]), jnp.array([1.0]))[0] / jnp.log(2))
    1.0
    """
    p, t = _same(outputs, targets, "binary_cross_entropy")
    return mean_per_example(-(t * _log(p, LEAST_LOG) + (1 - t) * _log(1 - p, LEAST_LOG)))


@checked
def binary_cross_entropy_with_logits(
    outputs: Array, targets: Array, *, pos_weight: PositiveFloat | tuple[PositiveFloat, ...] = 1.0
) -> Array:
    """-(w t log σ(x) + (1 - t) log(1 - σ(x))) of logits x, averaged over all axes but the first: (batch, ...) -> (batch,).

    `pos_weight` w, one number or one for each place of the last axis, trades recall for precision. Raises `ShapeError` where
    the shapes differ or `pos_weight` does not fit.

    >>> binary_cross_entropy_with_logits(jnp.array([100.0, -100.0]), jnp.array([1.0, 1.0])).tolist()
    [0.0, 100.0]
    """
    x, t = _same(outputs, targets, "binary_cross_entropy_with_logits")
    w = jnp.asarray(pos_weight, x.dtype)
    if w.ndim and (x.ndim < 2 or w.shape != x.shape[-1:]):
        raise ShapeError(f"pos_weight of {w.size} numbers does not fit outputs of shape {tuple(x.shape)}")
    if_one, if_zero = _from_logits(x)
    return mean_per_example(jnp.broadcast_to(w, x.shape) * t * if_one + (1 - t) * if_zero)


@checked
def focal(outputs: Array, targets: Array, *, gamma: NonNegativeFloat = 2.0, alpha: Fraction | None = 0.25) -> Array:
    """α_t (1 - p_t)^γ · -log p_t of logits x, averaged over all axes but the first: (batch, ...) -> (batch,).

    p_t = σ(x) and α_t = α where the target is 1, p_t = 1 - σ(x) and α_t = 1 - α where it is 0; without `alpha` both count the
    same (Lin et al., arXiv 1708.02002). Raises `ShapeError` where the shapes differ.

    >>> focal(jnp.array([0.0]), jnp.array([1.0]), alpha=None).tolist() == [float(jnp.log(2) / 4)]
    True
    """
    x, t = _same(outputs, targets, "focal")
    if_one, if_zero = _from_logits(x)
    # (1 - p_t)^γ by its logarithm: where γ < 1 and p_t is almost 1, the power's own slope is infinite.
    log_wrong = jnp.logaddexp(_log(t, -jnp.inf) - jax.nn.softplus(x), _log(1 - t, -jnp.inf) - jax.nn.softplus(-x))
    share = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
    return mean_per_example(share * jnp.exp(gamma * log_wrong) * (t * if_one + (1 - t) * if_zero))


@checked
def hinge(outputs: Array, targets: Array, *, margin: PositiveFloat = 1.0) -> Array:
    """max(0, margin - s x) of scores x, averaged over all axes but the first: (batch, ...) -> (batch,).

    s is 1 where the target is above 0 and -1 elsewhere, so labels are -1 and 1 or 0 and 1 (Cortes & Vapnik, 1995). Raises
    `ShapeError` where the shapes differ.

    >>> hinge(jnp.array([0.5, 0.5, 2.0]), jnp.array([1, 0, 1])).tolist()
    [0.5, 1.5, 0.0]
    """
    x, t = _same(outputs, targets, "hinge")
    return mean_per_example(jax.nn.relu(margin - jnp.where(t > 0, x, -x)))


@checked
def dice(outputs: Array, targets: Array, *, smooth: NonNegativeFloat = 1.0) -> Array:
    """1 - (2 Σ p t + smooth) / (Σ p + Σ t + smooth) of masks, averaged over channels: (batch, ..., channels) -> (batch,).

    p are probabilities, the sums run over all axes between the first and the last (Milletari et al., arXiv 1606.04797, with
    sums in place of sums of squares); `smooth` keeps empty masks defined. Raises `ShapeError` for fewer than three axes and
    where the shapes differ.

    >>> mask = jnp.array([[[1.0], [0.0]]])
    >>> dice(mask, mask, smooth=0.0).tolist(), dice(1 - mask, mask, smooth=0.0).tolist()
    ([0.0], [1.0])
    """
    expect_axes(outputs, "batch places channels", least=True)
    p, t = _same(outputs, targets, "dice")
    places = tuple(range(1, p.ndim - 1))
    both, either = jnp.sum(p * t, axis=places), jnp.sum(p + t, axis=places)
    return mean_per_example(1 - (2 * both + smooth) / (either + smooth))


def _same(outputs: Array, targets: Array, loss: str) -> tuple[Array, Array]:
    expect_same_shape(f"{loss} of outputs and targets", outputs, targets)
    outputs = widened(outputs)
    return outputs, targets.astype(outputs.dtype)


def _log(p: Array, of_zero: float) -> Array:
    """log p, and `of_zero` without a slope where p is 0."""
    possible = p > 0
    return jnp.where(possible, jnp.log(jnp.where(possible, p, 1)), of_zero)


def _from_logits(x: Array) -> tuple[Array, Array]:
    """-log σ(x) and -log(1 - σ(x)), without overflow and without cancellation."""
    above, below = jnp.maximum(x, 0), jnp.maximum(-x, 0)
    both = jnp.log1p(jnp.exp(-(above + below)))  # not -|x|, whose slope at 0 is 1
    return both + below, both + above
