"""Layers that change the height and width of images without parameters, channels last."""

from dataclasses import dataclass
from typing import Literal

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.interleave import interleave
from zerfoo_jax.layers.convolutions.windows import AXES, Edges, Pair, per_axis
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _Resize(Layer):
    """A layer for floating-point images."""

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[2])
        expect_floating(x)
        return {}, {}


@dataclass(frozen=True)
class Upsample(_Resize):
    """Images enlarged by whole numbers: (batch, height, width, c) -> (batch, height · scale, width · scale, c).

    `nearest` repeats elements. `bilinear` interpolates: output o lies at (o + 0.5) / scale - 0.5 of the input, whose edges go
    on for ever (torch: `align_corners=False`).

    >>> x = jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1)
    >>> Upsample((1, 2), "bilinear").forward({}, x).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """

    scale: Pair
    method: Literal["nearest", "bilinear"] = "nearest"

    def forward(self, params: Params, x: Array) -> Array:
        phases = _linear_phases if self.method == "bilinear" else _nearest_phases
        y = widened(x)
        for axis, scale in enumerate(per_axis(self.scale, 2), start=1):
            y = interleave(phases(y, axis, scale), axis)
        return y.astype(x.dtype)


def _nearest_phases(x: Array, axis: int, scale: int) -> list[Array]:
    return [x] * scale


def _linear_phases(x: Array, axis: int, scale: int) -> list[Array]:
    size = x.shape[axis]
    before = jnp.concatenate([lax.slice_in_dim(x, 0, 1, axis=axis), lax.slice_in_dim(x, 0, size - 1, axis=axis)], axis)
    after = jnp.concatenate([lax.slice_in_dim(x, 1, size, axis=axis), lax.slice_in_dim(x, size - 1, size, axis=axis)], axis)
    shifts = ((i + 0.5) / scale - 0.5 for i in range(scale))
    return [x * (1 - abs(shift)) + (before if shift < 0 else after) * abs(shift) for shift in shifts]


@dataclass(frozen=True)
class PixelShuffle(_Resize):
    """Channels become pixels: (batch, height, width, c · factor²) -> (batch, height · factor, width · factor, c).

    Channel (k · factor + i) · factor + j becomes row i and column j of a pixel's square in channel k, as in torch (Shi et al.,
    arXiv 1609.05158). Raises `ShapeError` unless the channels are a multiple of factor².

    >>> PixelShuffle(2).forward({}, jnp.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0].tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """

    factor: PositiveInt

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        super().init(key, x)
        if x.shape[-1] % self.factor**2:
            raise ShapeError(
                f"PixelShuffle got {x.shape[-1]} channels, not a multiple of factor² = {self.factor**2}",
                fix="give the layer before factor² times the channels",
            )
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        batch, height, width, channels = x.shape
        square = (self.factor, self.factor)
        y = x.reshape(batch, height, width, channels // self.factor**2, *square).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(batch, height * self.factor, width * self.factor, channels // self.factor**2)


@dataclass(frozen=True)
class PixelUnshuffle(_Resize):
    """The inverse of `PixelShuffle`: (batch, height, width, c) -> (batch, height / factor, width / factor, c · factor²).

    Raises `ShapeError` unless height and width are multiples of factor.

    >>> PixelUnshuffle(2).forward({}, jnp.arange(4.0).reshape(1, 2, 2, 1)).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    factor: PositiveInt

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        super().init(key, x)
        if x.shape[1] % self.factor or x.shape[2] % self.factor:
            raise ShapeError(
                f"PixelUnshuffle got {x.shape[1]} x {x.shape[2]} pixels, not multiples of factor = {self.factor}",
                fix="crop or pad the images",
            )
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        batch, height, width, channels = x.shape
        n = self.factor
        y = x.reshape(batch, height // n, n, width // n, n, channels).transpose(0, 1, 3, 5, 2, 4)
        return y.reshape(batch, height // n, width // n, n * n * channels)


@dataclass(frozen=True)
class Pad(Layer):
    """Elements put around the spatial axes: (batch, *spatial, c) -> (batch, *spatial', c), by (low, high) for each axis.

    `constant` puts `value` there, `edge` repeats the outermost element, `reflect` mirrors what lies within without repeating
    the outermost. Raises `ShapeError` where the amounts are not one pair per spatial axis, or there is too little to mirror.

    >>> Pad(((2, 1),), "reflect").forward({}, jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)).ravel().tolist()
    [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """

    amounts: tuple[Edges, ...]
    mode: Literal["constant", "edge", "reflect"] = "constant"
    value: float = 0.0

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch spatial channels", least=True)
        expect_floating(x)
        sizes = x.shape[1:-1]
        if len(sizes) != len(self.amounts):
            raise ShapeError(
                f"Pad.amounts = {self.amounts} are for {len(self.amounts)} spatial axes, got shape {tuple(x.shape)}",
                fix="give one pair (low, high) for each axis between batch and channels",
            )
        least = {"constant": 0, "edge": 1}
        if any(size < least.get(self.mode, max(pair) + 1) for size, pair in zip(sizes, self.amounts, strict=True)):
            raise ShapeError(
                f"Pad of shape {tuple(x.shape)} by {self.amounts} has too few elements for mode {self.mode!r}",
                fix="pad by less, or with mode='constant'",
            )
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        amounts = ((0, 0), *self.amounts, (0, 0))
        if self.mode == "constant":
            return lax.pad(x, jnp.asarray(self.value, x.dtype), [(low, high, 0) for low, high in amounts])
        return jnp.pad(x, amounts, self.mode)
