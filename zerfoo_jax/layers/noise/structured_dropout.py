"""Dropout of whole channels and of blocks of an image; of residual branches: `stochastic_depth.py`.

Both leave their input as it is outside training, and raise `ConfigError` when training without a key.
"""

from dataclasses import dataclass

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.noise.dropout import drop, expect_key
from zerfoo_jax.numeric import wide_dtype


@dataclass(frozen=True)
class SpatialDropout(Layer):
    """In training, zeroes each channel of each example as a whole with probability `rate` and divides the others by 1 - rate:
    (batch, ..., channels), with any number of axes in between (Tompson et al., arXiv 1411.4280).

    >>> y, _ = SpatialDropout(0.5).apply({}, {}, jnp.ones((2, 9, 4)), key=jax.random.key(0), train=True)
    >>> bool((y == y[:, :1]).all())
    True
    """

    rate: Probability

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch positions channels", least=True)
        expect_floating(x)
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        shared = range(1, x.ndim - 1)
        return (drop(x, self.rate, key, shared) if train else x), state


@dataclass(frozen=True)
class DropBlock2D(Layer):
    """In training, zeroes square blocks of each channel of each image and scales the rest to keep their sum: (batch, height,
    width, channels) (Ghiasi et al., arXiv 1810.12890).

    With b = `block_size`, each place where a whole block fits is the middle of one with probability
    γ = rate · (height · width) / (b² (height - b + 1) (width - b + 1)), so that about the share `rate` is dropped; as blocks
    overlap it is somewhat less. The kept values are multiplied by (number of values) / (number of kept values) of the batch.
    Raises `ShapeError` where no block fits into the image.

    >>> y, _ = DropBlock2D(0.3, 3).apply({}, {}, jnp.ones((8, 9, 9, 4)), key=jax.random.key(0), train=True)
    >>> round(float(y.mean()), 4)
    1.0
    """

    rate: Probability
    block_size: PositiveInt = 7

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch height width channels")
        expect_floating(x)
        if min(x.shape[1:3]) < self.block_size:
            raise ShapeError(
                f"DropBlock2D.block_size = {self.block_size} does not fit into an image of {tuple(x.shape[1:3])}",
                fix="use a smaller block_size",
            )
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        if not train or self.rate == 0:
            return x, state
        kept = self._kept(expect_key(key, self.rate), x.shape)
        share = jnp.mean(kept, dtype=wide_dtype(x.dtype))
        # Where nothing is kept there is nothing to scale.
        factor = jnp.where(share > 0, 1 / jnp.where(share > 0, share, 1), 0).astype(x.dtype)
        return jnp.where(kept, x * factor, jnp.zeros_like(x)), state

    def _kept(self, key: Array, shape: tuple[int, ...]) -> Array:
        batch, height, width, channels = shape
        size = self.block_size
        places = (height - size + 1, width - size + 1)
        gamma = self.rate * height * width / (size**2 * places[0] * places[1])
        middles = jax.random.bernoulli(key, min(gamma, 1.0), (batch, *places, channels)).astype(jnp.float32)
        window, grown = (1, size, size, 1), ((0, 0), (size - 1, size - 1), (size - 1, size - 1), (0, 0))
        return lax.reduce_window(middles, 0.0, lax.max, window, (1, 1, 1, 1), grown) == 0
