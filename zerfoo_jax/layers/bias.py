"""A learned vector added to every position."""

from dataclasses import dataclass

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec, initialize


@dataclass(frozen=True)
class Bias(Layer):
    """y = x + b over the last axis: (..., features) -> (..., features).

    Parameters: `bias` (features,).

    >>> import jax, jax.numpy as jnp
    >>> layer = Bias("ones")
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), jnp.float32))
    >>> layer.forward(params, jnp.array([[1.0, 2.0]])).tolist()
    [[2.0, 3.0]]
    """

    bias_init: InitializerSpec = "zeros"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        return {"bias": initialize(self.bias_init, key, x.shape[-1:], param_dtype(x))}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return x + over_last(params["bias"], x)
