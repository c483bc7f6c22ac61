"""Dropout."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State


@dataclass(frozen=True)
class Dropout(Layer):
    """In training, zeroes each element with probability `rate` and divides the others by 1 - rate (Srivastava et al., 2014).

    Otherwise the input passes unchanged. Raises `ConfigError` when training without a key.

    >>> x = jnp.ones(4)
    >>> Dropout(0.5).apply({}, {}, x)[0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> set(Dropout(0.5).apply({}, {}, jnp.ones(99), key=jax.random.key(0), train=True)[0].tolist()) == {0.0, 2.0}
    True
    """

    rate: Probability

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_floating(x)
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        return (drop(x, self.rate, key) if train else x), state


def drop(x: Array, rate: float, key: Array | None) -> Array:
    """`x` with each element zeroed with probability `rate` and the others divided by 1 - rate.

    Raises `ConfigError` where randomness is needed and `key` is None.
    """
    if rate == 0:
        return x
    if key is None:
        raise ConfigError(f"dropout with rate {rate} needs a random key in training", fix="pass key=..., or train=False")
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), jnp.zeros_like(x))
