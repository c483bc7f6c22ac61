"""Element-wise non-linearities, as functions in `ACTIVATIONS` and as one layer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_floating
from zerfoo_jax.core.spec import NamedOrMapping, bound, member_of
from zerfoo_jax.core.types import Array, Params, Spec, State


def linear(x: Array) -> Array:
    """`x` itself."""
    return x


def relu(x: Array) -> Array:
    """max(x, 0), with gradient 0 at 0."""
    return jax.nn.relu(x)


def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Array:
    """x where positive, `negative_slope` x elsewhere."""
    return jnp.where(x >= 0, x, negative_slope * x)


def gelu(x: Array) -> Array:
    """x Φ(x) with the exact normal distribution function (Hendrycks & Gimpel, arXiv 1606.08415)."""
    return jax.nn.gelu(x, approximate=False)


def gelu_tanh(x: Array) -> Array:
    """The tanh approximation of `gelu` (the same paper), as GPT-2 uses it."""
    return jax.nn.gelu(x, approximate=True)


def silu(x: Array) -> Array:
    """x σ(x), also called swish."""
    return jax.nn.silu(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return jax.nn.sigmoid(x)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return jax.nn.softplus(x)


def elu(x: Array, *, alpha: float = 1.0) -> Array:
    """x where positive, alpha (exp(x) - 1) elsewhere (Clevert et al., arXiv 1511.07289)."""
    return jax.nn.elu(x, alpha)


def softmax(x: Array, *, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along `axis`."""
    return jax.nn.softmax(x, axis=axis)


def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """log of `softmax`, without overflow."""
    return jax.nn.log_softmax(x, axis=axis)


ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "elu": elu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_softmax": log_softmax,
    "relu": relu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "tanh": tanh,
}


ActivationSpec = Annotated[NamedOrMapping, member_of(ACTIVATIONS, "activation")]
"""A member of `ACTIVATIONS`: its name, or `{name: leaky_relu, negative_slope: 0.1}`."""


def activation(spec: NamedOrMapping) -> Callable[[Array], Array]:
    """The function that an `ActivationSpec` stands for.

    >>> activation((("name", "leaky_relu"), ("negative_slope", 0.5)))(jnp.array([-2.0])).tolist()
    [-1.0]
    """
    return bound(ACTIVATIONS, spec, "activation")


@dataclass(frozen=True)
class Activation(Layer):
    """Applies a member of `ACTIVATIONS`, with options as `{"name": "leaky_relu", "negative_slope": 0.1}`.

    >>> Activation({"name": "leaky_relu", "negative_slope": 0.5}).forward({}, jnp.array([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    """

    function: ActivationSpec

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_floating(x)
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return activation(self.function)(x)
