"""Arithmetic that half precision cannot carry (sums, exponentials, running states) is done in float32."""

import jax.numpy as jnp

from zerfoo_jax.core.types import Array


def widened(x: Array) -> Array:
    """`x` in float32 if it is of a half precision; float32 and float64 stay as they are.

    >>> widened(jnp.ones(2, jnp.bfloat16)).dtype
    dtype('float32')
    """
    return x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x
