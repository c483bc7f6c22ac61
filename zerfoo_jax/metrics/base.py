"""The Metric contract, the weighted mean that most metrics are, and the kept samples that rank metrics need."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import check_fields
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.numeric.weighting import mean_of, weighted_sums


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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Samples:
    """Values per example that stay as they are, for metrics of ranks, which no fixed number of sums can give exactly.

    Adding two keeps the parts of both side by side on the device; `joined` gives each field in one piece.

    >>> total = Samples(({"x": jnp.ones(2)},)) + Samples(({"x": jnp.zeros(1)},))
    >>> total.joined()["x"].tolist()
    [1.0, 1.0, 0.0]
    """

    parts: tuple[dict[str, Array], ...]

    def __add__(self, other: "Samples") -> "Samples":
        return Samples(self.parts + other.parts)

    def joined(self) -> dict[str, Array]:
        """Each field over all examples, (examples, ...)."""
        return {name: jnp.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}


def _is_samples(node: Any) -> bool:
    return isinstance(node, Samples)


def add_sums(a: Tree, b: Tree) -> Tree:
    """The sums of two batches together.

    They are in float32: whole batches add up with a relative error of 6e-8 each, and a count that grows by one at a time, such
    as that of a rare pair in a confusion matrix, stands still at 2^24.
    """
    return jax.tree.map(lambda x, y: x + y, a, b, is_leaf=_is_samples)


def fold_sums(stacked: Tree) -> Tree:
    """The sums of several batches together, which lie along a new first axis of every array.

    >>> int(fold_sums({"count": jnp.array([2, 3])})["count"])
    5
    """

    def fold(node: Any) -> Any:
        if _is_samples(node):
            return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), node)
        return jnp.sum(node, axis=0)

    return jax.tree.map(fold, stacked, is_leaf=_is_samples)
