"""Weighted sums and means over examples, in which what has no weight does not count, whatever it is."""

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric.precision import widened


def weighted_sums(values: Array, weights: Array) -> dict[str, Array]:
    """Σ w v and Σ w, in float32 or wider.

    >>> sums = weighted_sums(jnp.array([1.0, 5.0]), jnp.array([1.0, 0.0]))
    >>> float(mean_of(sums))
    1.0
    """
    values = widened(values)
    weights = spread(weights, values.shape).astype(values.dtype)
    # A value that does not count may be anything, NaN too: 0 * NaN must not poison the sum.
    counted = jnp.where(weights == 0, 0.0, values * weights)
    return {"sum": jnp.sum(counted), "count": jnp.sum(weights)}


def spread(weights: Array, shape: tuple[int, ...]) -> Array:
    """One weight for each number of that shape; weights of fewer axes, such as one per sequence, count for all below them.

    Raises `ShapeError` for weights that are not a number for each example or finer.

    >>> spread(jnp.array([1, 2]), (2, 3)).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    deeper = weights.shape + (1,) * (len(shape) - weights.ndim)
    if len(deeper) != len(shape) or any(have not in (1, want) for have, want in zip(deeper, shape, strict=True)):
        raise ShapeError(
            f"weights of shape {tuple(weights.shape)} do not fit values of shape {tuple(shape)}",
            fix="give one weight per example, or one per value",
        )
    return jnp.broadcast_to(weights.reshape(deeper), shape)


def mean_of(sums: Tree) -> Array:
    """The weighted mean that `weighted_sums` stand for; NaN where nothing counted."""
    return sums["sum"] / sums["count"]
