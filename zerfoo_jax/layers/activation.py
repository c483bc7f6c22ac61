"""Element-wise non-linearities, as functions in `ACTIVATIONS` and as one layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from pydantic import BeforeValidator

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import check_options
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_floating
from zerfoo_jax.core.spec import name_in
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


ActivationName = Annotated[str, name_in(ACTIVATIONS, "activation")]
"""The name of a member of `ACTIVATIONS`."""


def _pairs(options: Any) -> Any:
    return tuple(options.items()) if isinstance(options, Mapping) else options


@dataclass(frozen=True)
class Activation(Layer):
    """Applies a member of `ACTIVATIONS`; `options` are its keyword arguments, as pairs or a mapping.

    >>> import jax.numpy as jnp
    >>> Activation("leaky_relu", (("negative_slope", 0.5),)).forward({}, jnp.array([-2.0, 3.0])).tolist()
    [-1.0, 3.0]
    """

    function: ActivationName
    options: Annotated[tuple[tuple[str, int | float], ...], BeforeValidator(_pairs)] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _, problems = check_options(ACTIVATIONS[self.function], dict(self.options))
        if problems:
            raise ConfigError(problems)

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_floating(x)
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return self.bound()(x)

    def bound(self) -> Callable[[Array], Array]:
        """The function with its options filled in."""
        checked, _ = check_options(ACTIVATIONS[self.function], dict(self.options))
        return partial(ACTIVATIONS[self.function], **checked)
