"""A random code with a known distribution: the bottleneck of a variational autoencoder."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import NonNegativeFloat, PositiveInt
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.initializers import InitializerSpec
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class GaussianBottleneck(Layer):
    """z = μ(x) + σ(x) ε, ε ~ N(0, 1): (..., in) -> (..., features) (Kingma & Welling, arXiv 1312.6114).

    μ and log σ² are linear in x. In training the state's `auxiliary_loss` is `kl_weight` times the Kullback-Leibler divergence
    of N(μ, σ²) from N(0, 1): Σ (μ² + σ² - log σ² - 1) / 2 over the features, in the mean over all other axes. Added to the loss
    of the reconstruction, it makes the negative evidence lower bound; where that loss is a mean over the values of an example
    rather than their sum, divide `kl_weight` by their number. Otherwise z = μ, and the state stays as it is.

    Parameters: `mean` and `log_variance`, each with `kernel` (in, features) and `bias` (features,). State: `auxiliary_loss`.
    Raises `ConfigError` when training without a key.

    >>> layer = GaussianBottleneck(2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3), jnp.float32))
    >>> zero = jax.tree.map(jnp.zeros_like, params)
    >>> z, state = layer.apply(zero, state, jnp.ones((1, 3)), key=jax.random.key(1), train=True)
    >>> z.shape, float(state["auxiliary_loss"])
    ((1, 2), 0.0)
    """

    features: PositiveInt
    kl_weight: NonNegativeFloat = 1.0
    kernel_init: InitializerSpec = "lecun_normal"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        linear = self._linear()
        params = {name: linear.init(fold_in_name(key, name), x)[0] for name in ("mean", "log_variance")}
        return params, {"auxiliary_loss": jnp.zeros((), jnp.float32)}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        linear = self._linear()
        mean = linear.forward(params["mean"], x)
        if not train:
            return mean, state
        if key is None:
            raise ConfigError("GaussianBottleneck needs a random key in training", fix="pass key=..., or train=False")
        wide_mean, log_variance = widened(mean), widened(linear.forward(params["log_variance"], x))
        noise = jax.random.normal(key, wide_mean.shape, wide_mean.dtype)
        z = wide_mean + jnp.exp(log_variance / 2) * noise
        # exp(v) - v - 1 loses its digits around v = 0, where training starts.
        divergence = (wide_mean**2 + jnp.expm1(log_variance) - log_variance) / 2
        loss = self.kl_weight * jnp.mean(jnp.sum(divergence, axis=-1))
        return z.astype(x.dtype), {"auxiliary_loss": loss.astype(jnp.float32)}

    def _linear(self) -> Dense:
        return Dense(self.features, kernel_init=self.kernel_init)
