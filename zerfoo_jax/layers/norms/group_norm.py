"""Normalisation of each example over its positions and groups of its channels, in float32 (float64 for float64 inputs)."""

from dataclasses import dataclass
import math

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.norms.normalization import affine_params, moments, standardise
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class GroupNorm(Layer):
    """y = scale · (x - mean) / sqrt(var + epsilon) + bias: (batch, ..., channels), any number of axes in between (Wu & He,
    arXiv 1803.08494).

    The channels form `groups` equal blocks in a row; mean and (biased) variance are those of one example's block over all
    positions.

    Parameters: `scale`, `bias` (channels,). Raises `ShapeError` where the channels are not a multiple of `groups`, and where a
    block has a single value, which has no variance.

    >>> layer = GroupNorm(2, use_scale=False, use_bias=False)
    >>> layer.forward({}, jnp.array([[1.0, 3.0, 5.0, 9.0]])).round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    groups: PositiveInt
    epsilon: PositiveFloat = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch channels", least=True)
        if x.shape[-1] % self.groups:
            raise ShapeError(
                f"GroupNorm got {x.shape[-1]} channels, not a multiple of groups = {self.groups}",
                fix="choose groups as a divisor of the channels",
            )
        _expect_variance("GroupNorm", x, self.groups)
        return affine_params(x, scale=self.use_scale, bias=self.use_bias), {}

    def forward(self, params: Params, x: Array) -> Array:
        return _normalise(params, x, self.groups, self.epsilon)


@dataclass(frozen=True)
class InstanceNorm(Layer):
    """y = scale · (x - mean) / sqrt(var + epsilon) + bias with mean and (biased) variance of each channel of each example over
    all positions: (batch, ..., channels), any number of axes in between (Ulyanov et al., arXiv 1607.08022).

    Parameters: `scale`, `bias` (channels,). Raises `ShapeError` for a single position, which has no variance.

    >>> layer = InstanceNorm(use_scale=False, use_bias=False)
    >>> layer.forward({}, jnp.array([[[1.0, 5.0], [3.0, 9.0]]])).round(3).tolist()
    [[[-1.0, -1.0], [1.0, 1.0]]]
    """

    epsilon: PositiveFloat = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch positions channels", least=True)
        _expect_variance("InstanceNorm", x, x.shape[-1])
        return affine_params(x, scale=self.use_scale, bias=self.use_bias), {}

    def forward(self, params: Params, x: Array) -> Array:
        return _normalise(params, x, x.shape[-1], self.epsilon)


def _normalise(params: Params, x: Array, groups: int, epsilon: float) -> Array:
    batch, *positions, channels = x.shape
    wide = widened(x).reshape(batch, math.prod(positions), channels)

    def mean_of(values: Array) -> Array:
        # First over positions, then over the few channels of a group: one pass over memory in its own order.
        blocks = jnp.mean(values, axis=1).reshape(batch, groups, channels // groups)
        means = jnp.mean(blocks, axis=-1, keepdims=True)
        return jnp.broadcast_to(means, blocks.shape).reshape(batch, 1, channels)

    return standardise(params, wide, *moments(wide, mean_of), epsilon).astype(x.dtype).reshape(x.shape)


def _expect_variance(what: str, x: Spec, groups: int) -> None:
    if math.prod(x.shape[1:]) == groups:
        raise ShapeError(
            f"{what} needs more than one value per mean, got shape {tuple(x.shape)} with {groups} group(s)",
            fix="use fewer groups or larger inputs",
        )
