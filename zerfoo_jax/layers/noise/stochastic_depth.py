"""Whole branches left out at random."""

from dataclasses import dataclass

from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.noise.dropout import drop


@dataclass(frozen=True)
class StochasticDepth(Layer):
    """In training, zeroes each example with probability `rate` and divides the others by 1 - rate (arXiv 1603.09382).

    The last layer of a branch that is added to a shortcut: (batch, ...) -> the same. Also called DropPath. Otherwise the input
    passes unchanged. Raises `ConfigError` when training without a key.

    >>> import jax, jax.numpy as jnp
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
        return (drop(x, self.rate, key, range(1, x.ndim)) if train else x), state
