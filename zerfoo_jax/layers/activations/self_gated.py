"""Activations of the form x · gate(x), with a gate from 0 to 1; members of `ACTIVATIONS`."""

import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.activations.rectifiers import between
from zerfoo_jax.layers.activations.squashing import hard_sigmoid


def silu(x: Array) -> Array:
    """x σ(x), also called swish (Elfwing et al., arXiv 1702.03118)."""
    return jax.nn.silu(x)


def hard_swish(x: Array) -> Array:
    """x min(max(x + 3, 0), 6) / 6 (Howard et al., arXiv 1905.02244)."""
    return x * hard_sigmoid(x)


def gelu(x: Array) -> Array:
    """x Φ(x) with the exact normal distribution function (Hendrycks & Gimpel, arXiv 1606.08415)."""
    return jax.nn.gelu(x, approximate=False)


def gelu_tanh(x: Array) -> Array:
    """x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, the paper's approximation of `gelu`, as GPT-2 uses it."""
    # Beyond 10 the gate is exactly 0 or 1; without the bound x³ overflows and the gradient is NaN.
    bounded = between(x, -10.0, 10.0)
    return x * (0.5 * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (bounded + 0.044715 * bounded**3))))


def quick_gelu(x: Array) -> Array:
    """x σ(1.702 x), a coarser approximation of `gelu` (the same paper), as CLIP uses it."""
    return x * jax.nn.sigmoid(1.702 * x)


def mish(x: Array) -> Array:
    """x tanh(log(1 + exp(x))) (Misra, arXiv 1908.08681)."""
    return jax.nn.mish(x)
