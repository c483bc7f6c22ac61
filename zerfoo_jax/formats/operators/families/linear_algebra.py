"""Products of matrices and what is made of them. Sums of half precision are taken in float32."""

from typing import Any

import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.arrays import is_floating, is_half, same_rank, wide


def MatMul(A: Any, B: Any) -> Any:
    """The product of matrices, or of stacks of them, as NumPy's matmul."""
    return _product(A, B).astype(A.dtype)


def _product(a: Any, b: Any) -> Any:
    """The product, in float32 for half precision."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    return jnp.matmul(a, b, preferred_element_type=jnp.float32 if is_half(a) else None)


def Gemm(
    A: Any, B: Any, C: Any | None = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Any:
    """alpha · A B + beta · C, where A and B may be transposed first."""
    if A.ndim != 2 or B.ndim != 2:
        raise ShapeError(f"Gemm takes matrices, got shapes {A.shape} and {B.shape}")
    product = _scaled(_product(A.T if transA else A, B.T if transB else B), alpha)
    if C is not None:
        product = jnp.add(*same_rank(product, _scaled(wide(jnp.asarray(C)), beta)))
    return product.astype(A.dtype)


def _scaled(x: Any, factor: float) -> Any:
    if factor == 1:
        return x
    return x * factor if is_floating(x) else (x.astype(jnp.float32) * factor).astype(x.dtype)


def Einsum(*Inputs: Any, equation: str) -> Any:
    """The sum of products that the equation names, such as `bij,bjk->bik`."""
    if len(Inputs) != equation.count(",") + 1:
        raise FormatError(f"the equation {equation!r} does not fit {len(Inputs)} inputs")
    return jnp.einsum(equation.replace(" ", ""), *(jnp.asarray(x) for x in Inputs))


def Det(X: Any) -> Any:
    """The determinant of matrices (..., n, n)."""
    X = jnp.asarray(X)
    return jnp.linalg.det(wide(X)).astype(X.dtype)
