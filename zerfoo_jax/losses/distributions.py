"""Losses that compare distributions over the last axis."""

import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.base import size
from zerfoo_jax.numeric import widened


@checked
def kl_divergence(outputs: Array, targets: Array, *, log_target: bool = False) -> Array:
    """Σ_k t_k (log t_k - x_k), x the outputs, which are log-probabilities: (..., classes) each -> (...).

    Targets are probabilities, or with `log_target` their logarithms; a probability of 0 adds nothing. The mean over examples
    is torch's `batchmean`. Raises `ShapeError` where the shapes differ.

    >>> half = jnp.log(jnp.array([[0.5, 0.5]]))
    >>> kl_divergence(half, half, log_target=True).tolist()
    [0.0]
    """
    expect_same_shape("kl_divergence of outputs and targets", outputs, targets)
    outputs = widened(outputs)
    targets = targets.astype(outputs.dtype)
    p = jnp.exp(targets) if log_target else targets
    possible = p > 0
    log_p = targets if log_target else jnp.log(jnp.where(possible, p, 1))
    return jnp.sum(jnp.where(possible, p * (log_p - outputs), 0), axis=-1)


@checked
def wasserstein(outputs: Array, targets: Array, *, bin_width: PositiveFloat = 1.0) -> Array:
    """bin_width Σ_k |P_k - T_k|, P and T the running sums of two distributions over ordered bins: (..., bins) -> (...).

    This is the earth mover's distance in one dimension: the least mass times distance that turns one histogram into the other
    (Werman et al., 1985). Both are probabilities that add up to 1. A critic, as in Wasserstein GANs (arXiv 1701.07875), needs
    no distance: its loss is the mean of its signed outputs. Raises `ShapeError` where the shapes differ.

    >>> wasserstein(jnp.array([[1.0, 0.0, 0.0]]), jnp.array([[0.0, 0.0, 1.0]]), bin_width=0.5).tolist()
    [1.0]
    """
    expect_same_shape("wasserstein of outputs and targets", outputs, targets)
    outputs = widened(outputs)
    # The last sums are both 1; what rounding leaves of their difference is no distance.
    moved = jnp.cumsum(outputs - targets.astype(outputs.dtype), axis=-1)[..., :-1]
    return bin_width * jnp.sum(size(moved), axis=-1)
