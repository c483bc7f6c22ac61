"""Samples of a categorical distribution that have a gradient."""

from dataclasses import dataclass

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveFloat
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class GumbelSoftmax(Layer):
    """y = softmax((x + g) / T) over the last axis, with g_i = -ln(-ln u_i) drawn anew in training.

    See Jang et al., arXiv 1611.01144. The largest x_i + g_i is a sample of softmax(x), and y nears it as T falls. Outside
    training g = 0. With `hard` the output is the one-hot vector of the largest y_i, and its gradient that of y
    (straight-through). Raises `ConfigError` when training without a key.

    >>> x = jnp.array([1.0, 3.0, 2.0])
    >>> GumbelSoftmax(hard=True).apply({}, {}, x)[0].tolist()
    [0.0, 1.0, 0.0]
    >>> samples, _ = GumbelSoftmax(hard=True).apply({}, {}, jnp.zeros((99, 3)), key=jax.random.key(0), train=True)
    >>> bool((samples.sum(0) > 20).all())
    True
    """

    temperature: PositiveFloat = 1.0
    hard: bool = False

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "logits", least=True)
        expect_floating(x)
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        logits = widened(x)
        if train:
            if key is None:
                raise ConfigError("GumbelSoftmax needs a random key in training", fix="pass key=..., or train=False")
            logits = logits + jax.random.gumbel(key, logits.shape, logits.dtype)
        y = jax.nn.softmax(logits / self.temperature)
        if self.hard:
            one_hot = jax.nn.one_hot(jnp.argmax(y, axis=-1), y.shape[-1], dtype=y.dtype)
            y = one_hot + (y - lax.stop_gradient(y))  # in this order the value is exactly one-hot
        return y.astype(x.dtype), state
