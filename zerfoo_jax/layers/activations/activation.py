"""Non-linearities, as functions in `ACTIVATIONS` and as layers. The functions stand in a file for each family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.spec import MemberOf, NamedOrMapping, bound
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.activations.rectifiers import (
    celu,
    elu,
    leaky_relu,
    prelu,
    relu,
    relu6,
    scaled_relu,
    selu,
    softplus,
    squared_relu,
)
from zerfoo_jax.layers.activations.self_gated import gelu, gelu_tanh, hard_swish, mish, quick_gelu, silu
from zerfoo_jax.layers.activations.squashing import hard_sigmoid, hard_tanh, log_softmax, sigmoid, softmax, softsign, tanh
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec, initialize


def linear(x: Array) -> Array:
    """`x` itself."""
    return x


ACTIVATIONS: dict[str, Callable[..., Array]] = {
    "celu": celu,
    "elu": elu,
    "fast_gelu": gelu_tanh,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "hard_sigmoid": hard_sigmoid,
    "hard_swish": hard_swish,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_softmax": log_softmax,
    "mish": mish,
    "prelu": prelu,
    "quick_gelu": quick_gelu,
    "relu": relu,
    "relu6": relu6,
    "scaled_relu": scaled_relu,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "squared_relu": squared_relu,
    "swish": silu,
    "tanh": tanh,
}


ActivationSpec = Annotated[NamedOrMapping, "activation", MemberOf(ACTIVATIONS, "activation")]
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


@dataclass(frozen=True)
class PReLU(Layer):
    """x where positive, slope · x elsewhere, with a learned slope: one, or with `per_channel` one per channel of the last axis
    (He et al., arXiv 1502.01852).

    Parameters: `slope` (1,) or (channels,), starting at 0.25.

    >>> import jax
    >>> params, _ = PReLU().init(jax.random.key(0), jax.ShapeDtypeStruct((2, 3), jnp.float32))
    >>> PReLU().forward(params, jnp.array([[-4.0, 2.0, 0.0]])).tolist()
    [[-1.0, 2.0, 0.0]]
    """

    per_channel: bool = False
    slope_init: InitializerSpec = (("name", "constant"), ("value", 0.25))

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "channels", least=True)
        expect_floating(x)
        size = x.shape[-1] if self.per_channel else 1
        return {"slope": initialize(self.slope_init, key, (size,), param_dtype(x))}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return jnp.where(x > 0, x, over_last(params["slope"], x) * x)
