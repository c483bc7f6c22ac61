"""Dropout of single elements; of whole channels and blocks: `structured_dropout.py`, of branches: `stochastic_depth.py`."""

from collections.abc import Iterable
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


def drop(x: Array, rate: float, key: Array | None, shared: Iterable[int] = ()) -> Array:
    """`x` with each element zeroed with probability `rate` and the others divided by 1 - rate.

    Elements that differ only along the `shared` axes are dropped together. Raises `ConfigError` where randomness is needed and
    `key` is None.
    """
    if rate == 0:
        return x
    shape = [1 if axis in shared else size for axis, size in enumerate(x.shape)]
    kept = jax.random.bernoulli(expect_key(key, rate), 1 - rate, shape)
    return jnp.where(kept, x / (1 - rate), jnp.zeros_like(x))


def expect_key(key: Array | None, rate: float) -> Array:
    """The key; raises `ConfigError` where there is none."""
    if key is None:
        raise ConfigError(f"dropout with rate {rate} needs a random key in training", fix="pass key=..., or train=False")
    return key
