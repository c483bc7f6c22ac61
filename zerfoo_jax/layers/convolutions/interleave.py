"""Arrays whose elements take turns: the way back from the phases of a grid to the grid."""

from collections.abc import Sequence

import jax.numpy as jnp

from zerfoo_jax.core.types import Array


def interleave(parts: Sequence[Array], axis: int) -> Array:
    """The first elements of all `parts` along `axis`, then all second ones, and so on.

    >>> interleave([jnp.array([1, 3]), jnp.array([2, 4])], 0).tolist()
    [1, 2, 3, 4]
    """
    if len(parts) == 1:
        return parts[0]
    y = jnp.stack(parts, axis + 1)
    return y.reshape(*y.shape[:axis], y.shape[axis] * len(parts), *y.shape[axis + 2 :])
