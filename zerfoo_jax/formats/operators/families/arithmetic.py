"""Sums, products, powers and bounds, element by element, with NumPy's broadcasting. Integers keep C's division."""

from functools import reduce
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.formats.operators.arrays import broadcast, held, is_floating, same_rank


def Add(A: Any, B: Any) -> Any:
    """A + B."""
    return jnp.add(*same_rank(A, B))


def Sub(A: Any, B: Any) -> Any:
    """A - B."""
    return jnp.subtract(*same_rank(A, B))


def Mul(A: Any, B: Any) -> Any:
    """A · B."""
    return jnp.multiply(*same_rank(A, B))


def Div(A: Any, B: Any) -> Any:
    """A / B; the quotient of integers is cut off towards zero."""
    return lax.div(*broadcast(A, B))


def Mod(A: Any, B: Any, *, fmod: int = 0) -> Any:
    """What is left of A / B, with the sign of B; with `fmod` with the sign of A, as in C."""
    A, B = broadcast(A, B)
    return lax.rem(A, B) if fmod else jnp.mod(A, B)


def Pow(X: Any, Y: Any) -> Any:
    """X to the power of Y, in the dtype of X."""
    X = jnp.asarray(X)
    if isinstance(Y, np.ndarray) and Y.size == 1 and is_floating(X):
        exponent = float(Y.reshape(()))
        # A square is a product: exact, and with a gradient where X is 0 or negative.
        if exponent.is_integer() and abs(exponent) <= 4:
            return lax.integer_pow(X, int(exponent)).reshape(np.broadcast_shapes(X.shape, Y.shape))
    base, exponents = broadcast(X, Y)
    if is_floating(base):
        return jnp.power(base, exponents.astype(base.dtype))
    if is_floating(exponents):
        fine = held(np.float64)
        return jnp.power(base.astype(fine), exponents.astype(fine)).astype(base.dtype)
    return jnp.power(base, exponents.astype(base.dtype))


def Sum(*data_0: Any) -> Any:
    """The sum of all inputs."""
    return reduce(Add, data_0[1:], jnp.asarray(data_0[0]))


def Mean(*data_0: Any) -> Any:
    """The mean of all inputs."""
    return Sum(*data_0) / len(data_0)


def Max(*data_0: Any) -> Any:
    """The largest of the inputs, NaN where one of them is."""
    return reduce(lambda a, b: jnp.maximum(*same_rank(a, b)), data_0[1:], jnp.asarray(data_0[0]))


def Min(*data_0: Any) -> Any:
    """The smallest of the inputs, NaN where one of them is."""
    return reduce(lambda a, b: jnp.minimum(*same_rank(a, b)), data_0[1:], jnp.asarray(data_0[0]))


def Clip(input: Any, *, min: float = -3.4028234663852886e38, max: float = 3.4028234663852886e38) -> Any:
    """The input within bounds."""
    finite = jnp.finfo(input.dtype)
    low, high = (jnp.asarray(np.clip(bound, float(finite.min), float(finite.max)), input.dtype) for bound in (min, max))
    return _clip(input, low, high)


def Clip_11(input: Any, min: Any | None = None, max: Any | None = None) -> Any:
    """The input within bounds, each of which may be missing; where they cross, the upper one holds."""
    return _clip(input, min, max)


def _clip(x: Any, low: Any | None, high: Any | None) -> Any:
    x = jnp.asarray(x)
    if low is not None:
        x = jnp.maximum(x, jnp.asarray(low).reshape((1,) * x.ndim))
    return x if high is None else jnp.minimum(x, jnp.asarray(high).reshape((1,) * x.ndim))


def Neg(X: Any) -> Any:
    """-X."""
    return jnp.negative(X)


def Abs(X: Any) -> Any:
    """|X|."""
    return jnp.abs(X)


def Sign(input: Any) -> Any:
    """-1, 0 or 1."""
    return jnp.sign(input)


def Reciprocal(X: Any) -> Any:
    """1 / X."""
    return 1 / jnp.asarray(X)


def Sqrt(X: Any) -> Any:
    """The square root."""
    return jnp.sqrt(X)


def Exp(input: Any) -> Any:
    """e to the power of the input."""
    return jnp.exp(input)


def Log(input: Any) -> Any:
    """The natural logarithm."""
    return jnp.log(input)


def Erf(input: Any) -> Any:
    """The error function."""
    return jax.scipy.special.erf(input)


def Floor(X: Any) -> Any:
    """The largest integer that is not above X."""
    return jnp.floor(X)


def Ceil(X: Any) -> Any:
    """The smallest integer that is not below X."""
    return jnp.ceil(X)


def Round(X: Any) -> Any:
    """The nearest integer, the even one of two."""
    return jnp.rint(X)
