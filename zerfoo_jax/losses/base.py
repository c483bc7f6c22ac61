"""What losses share: how their values per example become one number, and values that bring weights of their own."""

from typing import Literal, NamedTuple

import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric.weighting import mean_of, spread, weighted_sums

Reduction = Literal["mean", "sum", "none"]


class Weighted(NamedTuple):
    """Losses of which some count more than others, such as by their class, or not at all, such as padding.

    `weight` has the shape of `value` and depends on the targets alone. A mean over examples is Σ weight value / Σ weight.
    """

    value: Array
    weight: Array


def size(x: Array) -> Array:
    """|x|, with slope 0 at 0 as in torch.

    >>> import jax
    >>> float(jax.grad(size)(0.0))
    0.0
    """
    return x * jnp.sign(x)


def reduce(losses: Array | Weighted, reduction: Reduction = "mean", weights: Array | None = None) -> Array:
    """The mean, the sum, or all of what a loss gives per example.

    `weights` (numbers, or a boolean mask) say how much each example, or each value, counts; the mean divides by their sum, and
    what has no weight may be anything, NaN too. Raises `ConfigError` for an unknown reduction and `ShapeError` for weights
    that do not fit.

    >>> losses = jnp.array([1.0, 3.0, jnp.nan])
    >>> float(reduce(losses, weights=jnp.array([True, True, False])))
    2.0
    """
    own = losses.weight if isinstance(losses, Weighted) else None
    values = losses.value if isinstance(losses, Weighted) else losses
    given = jnp.ones(values.shape[:1]) if weights is None else weights
    combined = spread(given, values.shape).astype(values.dtype)
    combined = combined if own is None else combined * own.astype(values.dtype)
    if reduction == "none":
        return jnp.where(combined == 0, 0.0, values * combined)
    if reduction not in ("mean", "sum"):
        raise ConfigError(f"reduction = {reduction!r}: should be 'mean', 'sum' or 'none'")
    sums = weighted_sums(values, combined)
    return mean_of(sums) if reduction == "mean" else sums["sum"]


def mean_per_example(values: Array) -> Array:
    """The mean over all axes but the first: (batch, ...) -> (batch,).

    >>> mean_per_example(jnp.array([[1.0, 3.0], [5.0, 7.0]])).tolist()
    [2.0, 6.0]
    """
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))
