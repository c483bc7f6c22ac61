"""Channels weighed by what the whole image shows."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.activations.activation import ActivationSpec, activation
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.initializers import InitializerSpec
from zerfoo_jax.layers.pooling.global_pooling import GlobalAvgPool


@dataclass(frozen=True)
class SqueezeExcitation(Layer):
    """y = x · gate(W₂ f(W₁ mean(x) + b₁) + b₂): (batch, *spatial, c) -> the same (Hu et al., arXiv 1709.01507).

    The mean is over all spatial axes; W₁ squeezes its c channels to `hidden_features`, f is `function`, W₂ goes back to c, and
    each channel of x is multiplied by one number.

    Parameters: `squeeze` and `excite`, each with `kernel` (in, out) and `bias` (out,).

    >>> layer = SqueezeExcitation(2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3, 3, 8), jnp.float32))
    >>> jax.tree.map(jnp.shape, params["squeeze"])
    {'bias': (2,), 'kernel': (8, 2)}
    """

    hidden_features: PositiveInt
    function: ActivationSpec = "relu"
    gate: ActivationSpec = "sigmoid"
    kernel_init: InitializerSpec = "lecun_normal"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch spatial channels", least=True)
        GlobalAvgPool().init(key, x)
        squeeze_key, excite_key = jax.random.split(key)
        squeeze, excite = self._projections(x)
        params = {
            "squeeze": squeeze.init(squeeze_key, Spec((1, x.shape[-1]), x.dtype))[0],
            "excite": excite.init(excite_key, Spec((1, self.hidden_features), x.dtype))[0],
        }
        return params, {}

    def forward(self, params: Params, x: Array) -> Array:
        squeeze, excite = self._projections(x)
        hidden = activation(self.function)(squeeze.forward(params["squeeze"], GlobalAvgPool().forward({}, x)))
        weights = activation(self.gate)(excite.forward(params["excite"], hidden))
        return x * jnp.expand_dims(weights, tuple(range(1, x.ndim - 1)))

    def _projections(self, x: Array | Spec) -> tuple[Dense, Dense]:
        return Dense(self.hidden_features, kernel_init=self.kernel_init), Dense(x.shape[-1], kernel_init=self.kernel_init)
