"""The fully connected layer."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.layers.quantized.kernel import Kernel


@dataclass(frozen=True)
class Dense(Layer):
    """y = x W + b over the last axis: (..., in) -> (..., features).

    Parameters: `kernel` (in, features), `bias` (features,).

    >>> layer = Dense(3)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 4), jnp.float32))
    >>> jax.tree.map(jnp.shape, params)
    {'bias': (3,), 'kernel': (4, 3)}
    """

    features: PositiveInt
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        kernel_key, bias_key = jax.random.split(key)
        dtype = param_dtype(x)
        params = {"kernel": initialize(self.kernel_init, kernel_key, (x.shape[-1], self.features), dtype)}
        if self.use_bias:
            params["bias"] = initialize(self.bias_init, bias_key, (self.features,), dtype)
        return params, {}

    def forward(self, params: Params, x: Array) -> Array:
        kernel = params["kernel"]
        y = kernel.product(x) if isinstance(kernel, Kernel) else jnp.matmul(x, kernel)
        return y + over_last(params["bias"], y) if self.use_bias else y


def over_last(vector: Array, like: Array) -> Array:
    """A vector shaped to broadcast along the last axis of `like`."""
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)
