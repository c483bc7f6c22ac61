"""Dynamic loss scaling for float16 (Micikevicius et al., arXiv 1710.03740)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array, Tree

GROWTH_INTERVAL = 2000
FACTOR = 2.0
LARGEST = 2.0**24


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LossScale:
    """The factor on the loss, and for how many steps its gradients have been finite.

    It doubles after 2000 finite steps and halves at every step that is not.
    """

    scale: Array
    finite_steps: Array

    @classmethod
    def create(cls, scale: float = 2.0**15) -> "LossScale":
        """The state before the first step."""
        return cls(scale=jnp.float32(scale), finite_steps=jnp.int32(0))

    def adjust(self, finite: Array) -> "LossScale":
        """The state after a step whose gradients were, or were not, all finite."""
        grown = self.finite_steps + 1 >= GROWTH_INTERVAL
        up = jnp.where(grown, jnp.minimum(self.scale * FACTOR, LARGEST), self.scale)
        down = jnp.maximum(self.scale / FACTOR, 1.0)
        counted = jnp.where(grown, 0, self.finite_steps + 1)
        return LossScale(scale=jnp.where(finite, up, down), finite_steps=jnp.where(finite, counted, 0))


def all_finite(tree: Tree) -> Array:
    """Whether every number in the tree is finite, as a device scalar."""
    # One sum per leaf: any NaN or Inf in it survives the sum, and one pass over memory is all it takes.
    sums = [jnp.sum(x * jnp.zeros((), x.dtype)) for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.isfinite(jnp.stack([s.astype(jnp.float32) for s in sums]))) if sums else jnp.array(True)
