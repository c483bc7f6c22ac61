"""Activations whose values lie within bounds: the sigmoids, and softmax over an axis; members of `ACTIVATIONS`."""

import jax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.activations.rectifiers import between
from zerfoo_jax.numeric import widened


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


@checked
def hard_sigmoid(x: Array, *, slope: float = 1 / 6, offset: float = 0.5) -> Array:
    """min(max(slope x + offset, 0), 1), with gradient 0 at both bounds. ONNX's own default for the slope is 0.2."""
    return between(slope * x + offset, 0.0, 1.0)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


@checked
def hard_tanh(x: Array, *, low: float = -1.0, high: float = 1.0) -> Array:
    """min(max(x, low), high), with gradient 0 at both bounds."""
    return between(x, low, high)


def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return jax.nn.soft_sign(x)


@checked
def softmax(x: Array, *, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along `axis`, summed in float32 or wider."""
    return jax.nn.softmax(widened(x), axis=axis).astype(x.dtype)


@checked
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """log of `softmax`, without overflow."""
    return jax.nn.log_softmax(widened(x), axis=axis).astype(x.dtype)
