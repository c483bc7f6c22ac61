"""Logic on the bits of integers, with NumPy's broadcasting."""

from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.operators.arrays import broadcast, same_rank


def BitwiseAnd(A: Any, B: Any) -> Any:
    """The bits set in both."""
    return jnp.bitwise_and(*same_rank(A, B))


def BitwiseOr(A: Any, B: Any) -> Any:
    """The bits set in one or both."""
    return jnp.bitwise_or(*same_rank(A, B))


def BitwiseXor(A: Any, B: Any) -> Any:
    """The bits set in exactly one."""
    return jnp.bitwise_xor(*same_rank(A, B))


def BitwiseNot(X: Any) -> Any:
    """The bits that are not set."""
    return jnp.bitwise_not(X)


def BitShift(X: Any, Y: Any, *, direction: str) -> Any:
    """X shifted by Y bits, to the right with copies of the sign; by a negative number or by all its bits, only signs remain."""
    if direction not in ("LEFT", "RIGHT"):
        raise FormatError(f"BitShift goes LEFT or RIGHT, not {direction!r}")
    X, Y = broadcast(X, Y)
    bits = jnp.iinfo(X.dtype).bits
    within = (Y >= 0) & (bits > Y)
    if direction == "LEFT":
        return jnp.where(within, lax.shift_left(X, jnp.where(within, Y, 0)), 0)
    shift = lax.shift_right_arithmetic if jnp.issubdtype(X.dtype, jnp.signedinteger) else lax.shift_right_logical
    shifted = shift(X, jnp.where(within, Y, bits - 1))
    return shifted if jnp.issubdtype(X.dtype, jnp.signedinteger) else jnp.where(within, shifted, 0)
