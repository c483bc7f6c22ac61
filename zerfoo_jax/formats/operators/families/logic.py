"""Comparisons, Boolean logic and choices, element by element, with NumPy's broadcasting."""

from typing import Any

import jax.numpy as jnp

from zerfoo_jax.formats.operators.arrays import broadcast, namespace, same_rank, wide


def Equal(A: Any, B: Any) -> Any:
    """A = B, also of texts."""
    return namespace(A, B).equal(*same_rank(A, B))


def Less(A: Any, B: Any) -> Any:
    """A < B."""
    return jnp.less(*same_rank(A, B))


def LessOrEqual(A: Any, B: Any) -> Any:
    """A ≤ B."""
    return jnp.less_equal(*same_rank(A, B))


def Greater(A: Any, B: Any) -> Any:
    """A > B."""
    return jnp.greater(*same_rank(A, B))


def GreaterOrEqual(A: Any, B: Any) -> Any:
    """A ≥ B."""
    return jnp.greater_equal(*same_rank(A, B))


def And(A: Any, B: Any) -> Any:
    """Whether both hold."""
    return jnp.logical_and(*same_rank(A, B))


def Or(A: Any, B: Any) -> Any:
    """Whether at least one holds."""
    return jnp.logical_or(*same_rank(A, B))


def Xor(A: Any, B: Any) -> Any:
    """Whether exactly one holds."""
    return jnp.logical_xor(*same_rank(A, B))


def Not(X: Any) -> Any:
    """Whether X does not hold."""
    return jnp.logical_not(X)


def IsNaN(X: Any) -> Any:
    """Whether X is not a number."""
    return jnp.isnan(wide(jnp.asarray(X)))


def IsInf(X: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    """Whether X is infinite, of the signs asked for."""
    X = wide(jnp.asarray(X))
    positive, negative = jnp.isposinf(X), jnp.isneginf(X)
    return (positive & bool(detect_positive)) | (negative & bool(detect_negative))


def Where(condition: Any, X: Any, Y: Any) -> Any:
    """X where the condition holds, elsewhere Y."""
    return namespace(X, Y).where(*broadcast(condition, X, Y))
