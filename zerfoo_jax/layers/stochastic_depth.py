"""Whole branches left out at random."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State


@dataclass(frozen=True)
class StochasticDepth(Layer):
    """In training, zeroes each example with probability `rate` and divides the others by 1 - rate (arXiv 1603.09382).

    The last layer of a branch that is added to a shortcut: (batch, ...) -> the same. Also called DropPath. Otherwise the input
    passes unchanged. Raises `ConfigError` when training without a key.

    >>> y, _ = StochasticDepth(0.5).apply({}, {}, jnp.ones((99, 2)), key=jax.random.key(0), train=True)
    >>> sorted(set(map(tuple, y.tolist())))
    [(0.0, 0.0), (2.0, 2.0)]
    """

    rate: Probability

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch", least=True)
        expect_floating(x)
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        if not train or self.rate == 0:
            return x, state
        if key is None:
            raise ConfigError("StochasticDepth needs a random key in training", fix="pass key=..., or train=False")
        kept = jax.random.bernoulli(key, 1 - self.rate, (x.shape[0], *(1,) * (x.ndim - 1)))
        return jnp.where(kept, x / (1 - self.rate), jnp.zeros_like(x)), state
