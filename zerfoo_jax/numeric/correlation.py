"""Pearson's correlation of weighted columns, for losses and metrics alike."""

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array


def pearson(a: Array, b: Array, weights: Array) -> Array:
    """Σ w a' b' / √(Σ w a'² · Σ w b'²), ' meaning less the weighted mean: three arrays (batch, ...) -> (...).

    The means are taken off before anything is multiplied, so that a large offset costs no digits. What has no weight may be
    anything, NaN too. A column that does not vary has correlation 0.

    >>> a = jnp.array([1.0, 2.0, 3.0, jnp.nan])
    >>> float(pearson(a, -2 * a, jnp.array([1.0, 1.0, 1.0, 0.0])))
    -1.0
    """
    a, b = _centred(a, weights), _centred(b, weights)
    varied = jnp.sum(weights * a * a, axis=0) * jnp.sum(weights * b * b, axis=0)
    return jnp.sum(weights * a * b, axis=0) / jnp.sqrt(jnp.where(varied > 0, varied, 1))


def _centred(x: Array, weights: Array) -> Array:
    """x less its weighted mean over the first axis, in a unit in which no square under- or overflows: r has none."""
    counts = weights != 0
    # Twice: the mean of large numbers is rounded, and what is left of it afterwards is small and exact.
    centred = _less_mean(_less_mean(jnp.where(counts, x, 0), weights), weights)
    largest = lax.stop_gradient(jnp.max(jnp.where(counts, jnp.abs(centred), 0), axis=0, keepdims=True, initial=0))
    return jnp.where(counts, centred / jnp.where(largest == 0, 1, largest), 0)


def _less_mean(x: Array, weights: Array) -> Array:
    count = jnp.sum(weights, axis=0, keepdims=True)
    return x - jnp.sum(weights * x, axis=0, keepdims=True) / jnp.where(count == 0, 1, count)
