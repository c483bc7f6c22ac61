"""The Metric contract, and the weighted mean that most metrics are."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import check_fields
from zerfoo_jax.core.types import Array, Tree


@dataclass(frozen=True)
class Metric:
    """Base of all metrics; see the room's introduction."""

    def __post_init__(self) -> None:
        check_fields(self)

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        """Partial sums of one batch. `weights` broadcasts against one number per example."""
        raise NotImplementedError

    def compute(self, sums: Tree) -> Array:
        """The metric's value from added-up sums."""
        raise NotImplementedError


@dataclass(frozen=True)
class Mean(Metric):
    """Base of metrics that are a weighted mean of one number per example, which `each` gives."""

    def each(self, outputs: Array, targets: Array) -> Array:
        """One number per example (or per token)."""
        raise NotImplementedError

    def update(self, outputs: Array, targets: Array, weights: Array) -> Tree:
        return weighted_sums(self.each(outputs, targets), weights)

    def compute(self, sums: Tree) -> Array:
        return mean_of(sums)


def weighted_sums(values: Array, weights: Array) -> dict[str, Array]:
    """Σ w v and Σ w in float32; weights of fewer axes, such as one per sequence, count for all that lies below them.

    >>> sums = weighted_sums(jnp.array([1.0, 5.0]), jnp.array([1.0, 0.0]))
    >>> float(mean_of(sums))
    1.0
    """
    weights = jnp.broadcast_to(weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape)
    weights = weights.astype(jnp.float32)
    # A value that does not count may be anything, NaN too: 0 * NaN must not poison the sum.
    counted = jnp.where(weights == 0, 0.0, values.astype(jnp.float32) * weights)
    return {"sum": jnp.sum(counted), "count": jnp.sum(weights)}


def mean_of(sums: Tree) -> Array:
    """The weighted mean that `weighted_sums` stand for; NaN where nothing counted."""
    return sums["sum"] / sums["count"]


def add_sums(a: Tree, b: Tree) -> Tree:
    """The sums of two batches together."""
    return jax.tree.map(jnp.add, a, b)
