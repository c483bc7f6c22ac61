"""Element-wise activation functions."""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def Relu(x: Array) -> Array:
    """max(x, 0)."""
    return jnp.maximum(x, jnp.zeros((), x.dtype))


def LeakyRelu(x: Array, *, alpha: float = 0.01) -> Array:
    """x, or alpha x where x < 0."""
    return jnp.where(x < 0, x * alpha, x)


def PRelu(x: Array, slope: Array) -> Array:
    """x, or slope x where x < 0, with one slope for all or one per channel, the second axis."""
    return PRelu_7(x, slope.reshape(slope.size, *(1,) * max(x.ndim - 2, 0)))


def PRelu_7(x: Array, slope: Array) -> Array:
    """x, or slope x where x < 0; the slope is broadcast to x."""
    return jnp.where(x < 0, x * jnp.broadcast_to(slope, x.shape), x)


def ThresholdedRelu(x: Array, *, alpha: float = 1.0) -> Array:
    """x, or 0 where x <= alpha."""
    return jnp.where(x > alpha, x, jnp.zeros((), x.dtype))


def Elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x, or alpha (exp(x) - 1) where x < 0."""
    return jnp.where(x < 0, alpha * jnp.expm1(jnp.minimum(x, 0)), x)


def Selu(x: Array, *, alpha: float = 1.6732, gamma: float = 1.0507) -> Array:
    """gamma x, or gamma alpha (exp(x) - 1) where x <= 0 (Klambauer et al., arXiv 1706.02515)."""
    return gamma * Elu(x, alpha=alpha)


def Selu_6(x: Array, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Array:
    """gamma x, or gamma alpha (exp(x) - 1) where x <= 0 (Klambauer et al., arXiv 1706.02515)."""
    return gamma * Elu(x, alpha=alpha)


def Celu(x: Array, *, alpha: float = 1.0) -> Array:
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1))."""
    return jnp.where(x < 0, alpha * jnp.expm1(jnp.minimum(x, 0) / alpha), x)


def Gelu(x: Array, *, approximate: str = "none") -> Array:
    """x Φ(x), with `approximate` = "tanh" by a tanh (Hendrycks and Gimpel, arXiv 1606.08415)."""
    return jax.nn.gelu(widened(x), approximate=approximate == "tanh").astype(x.dtype)


def Sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


def HardSigmoid(x: Array, *, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """alpha x + beta within 0 ... 1."""
    return jnp.clip(x * alpha + beta, 0, 1)


def HardSwish(x: Array) -> Array:
    """x max(0, min(1, x / 6 + 1 / 2))."""
    return x * HardSigmoid(x, alpha=1 / 6)


def Swish(x: Array, *, alpha: float = 1.0) -> Array:
    """x sigmoid(alpha x)."""
    return x * jax.nn.sigmoid(x * alpha)


def SwiGLU(gate: Array, x: Array, *, alpha: float = 1.0) -> Array:
    """swish(gate) x (Shazeer, arXiv 2002.05202)."""
    wide = widened(gate)
    return (Swish(wide, alpha=alpha) * widened(x)).astype(x.dtype)


def Mish(x: Array) -> Array:
    """x tanh(log(1 + exp(x)))."""
    return jax.nn.mish(x)


def Softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return jax.nn.softplus(x)


def Softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return x / (1 + jnp.abs(x))


def Shrink(x: Array, *, bias: float = 0.0, lambd: float = 0.5) -> Array:
    """x + bias below -lambd, x - bias above lambd, 0 between."""
    wide = widened(x)
    shrunk = jnp.where(wide < -lambd, wide + bias, jnp.where(wide > lambd, wide - bias, jnp.zeros((), wide.dtype)))
    return shrunk.astype(x.dtype)


def Softmax(x: Array, *, axis: int = 1) -> Array:
    """exp(x) / Σ exp(x), the sum over this axis and all after it."""
    return _over_rest(Softmax_13, x, axis)


def Softmax_13(x: Array, *, axis: int = -1) -> Array:
    """exp(x) / Σ exp(x) along an axis."""
    return jax.nn.softmax(widened(x), axis).astype(x.dtype)


def LogSoftmax(x: Array, *, axis: int = 1) -> Array:
    """x - log Σ exp(x), the sum over this axis and all after it."""
    return _over_rest(LogSoftmax_13, x, axis)


def LogSoftmax_13(x: Array, *, axis: int = -1) -> Array:
    """x - log Σ exp(x) along an axis."""
    return jax.nn.log_softmax(widened(x), axis).astype(x.dtype)


def Hardmax(x: Array, *, axis: int = 1) -> Array:
    """1 at the first maximum over this axis and all after it, 0 elsewhere."""
    return _over_rest(Hardmax_13, x, axis)


def Hardmax_13(x: Array, *, axis: int = -1) -> Array:
    """1 at the first maximum along an axis, 0 elsewhere."""
    axis %= x.ndim
    return jax.nn.one_hot(jnp.argmax(x, axis), x.shape[axis], axis=axis, dtype=x.dtype)


def _over_rest(function: Callable[..., Array], x: Array, axis: int) -> Array:
    """The function of a matrix, whose rows hold the elements from the axis on."""
    axis %= x.ndim or 1
    rows = x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
    return function(rows, axis=1).reshape(x.shape)
