"""Arithmetic that half precision cannot carry (sums, exponentials, running states) is done in float32."""

from typing import Any

import jax.numpy as jnp

from zerfoo_jax.core.types import Array


def wide_dtype(dtype: Any) -> Any:
    """float32 for the half precisions, other floating dtypes as they are.

    >>> wide_dtype(jnp.float16) is jnp.float32, wide_dtype(jnp.float64) is jnp.float64
    (True, True)
    """
    return jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype


def widened(x: Array) -> Array:
    """`x` in float32 if it is of a half precision; float32 and float64 stay as they are.

    >>> widened(jnp.ones(2, jnp.bfloat16)).dtype
    dtype('float32')
    """
    return x.astype(wide_dtype(x.dtype))
