"""Activations that leave large positive values as they are and flatten or shrink negative ones; members of `ACTIVATIONS`.

At a kink the gradient is that of the lower side, as in torch.
"""

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def relu(x: Array) -> Array:
    """max(x, 0), with gradient 0 at 0."""
    return jax.nn.relu(x)


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6), with gradient 0 at 0 and 6 (Howard et al., arXiv 1704.04861)."""
    return between(x, 0.0, 6.0)


def between(x: Array, low: float, high: float) -> Array:
    """`x` held within low ... high, with gradient 0 at both and beyond.

    >>> jax.grad(between)(1.0, 0.0, 1.0).item()  # half of this with jnp.clip
    0.0
    """
    x = jnp.asarray(x)
    return lax.clamp(jnp.asarray(low, x.dtype), x, jnp.asarray(high, x.dtype))


@checked
def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """x where positive, `negative_slope` x elsewhere (Maas et al., 2013)."""
    return jnp.where(x > 0, x, negative_slope * x)


@checked
def prelu(x: Array, *, slope: float = 0.25) -> Array:
    """x where positive, `slope` x elsewhere (He et al., arXiv 1502.01852); the layer `PReLU` learns the slope."""
    return leaky_relu(x, negative_slope=slope)


@checked
def scaled_relu(x: Array, *, scale: PositiveFloat = 1.1) -> Array:
    """max(scale · x, 0); LOOM's relu, whose scale is 1.1."""
    return jax.nn.relu(scale * x)


def squared_relu(x: Array) -> Array:
    """max(x, 0)² (So et al., arXiv 2109.08668)."""
    return jnp.square(jax.nn.relu(x))


@checked
def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x where positive, alpha (exp(x) - 1) elsewhere (Clevert et al., arXiv 1511.07289)."""
    return jax.nn.elu(x, alpha)


@checked
def celu(x: Array, *, alpha: PositiveFloat = 1.0) -> Array:
    """x where positive, alpha (exp(x / alpha) - 1) elsewhere, smooth for every alpha (Barron, arXiv 1704.07483)."""
    return jax.nn.celu(x, alpha)


def selu(x: Array) -> Array:
    """1.0507 elu(x) with alpha = 1.6733, which keeps mean 0 and variance 1 (Klambauer et al., arXiv 1706.02515)."""
    return jax.nn.selu(x)


@checked
def softplus(x: Array, *, beta: PositiveFloat = 1.0) -> Array:
    """log(1 + exp(beta x)) / beta, without overflow."""
    wide = widened(x)
    return (jax.nn.softplus(beta * wide) / beta).astype(x.dtype)
