"""Transposed convolution over sequences, images and volumes, channels last: the way back up in size."""

from dataclasses import dataclass
from typing import ClassVar

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.convolve_transposed import convolve_transposed
from zerfoo_jax.layers.convolutions.kernel_bank import expect_groups, new_bank
from zerfoo_jax.layers.convolutions.windows import (
    AXES,
    Padding,
    Padding1D,
    Padding2D,
    Padding3D,
    Pair,
    Single,
    Sizes,
    Triple,
    extents,
    given_edges,
    per_axis,
)
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec


@dataclass(frozen=True)
class _ConvTranspose(Layer):
    """What the transposed convolutions share; they differ in their number of spatial axes."""

    axes: ClassVar[int]
    """The number of spatial axes."""
    features: PositiveInt
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    output_padding: NonNegativeInt | tuple[NonNegativeInt, ...] = 0
    dilation: Sizes = 1
    groups: PositiveInt = 1
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_groups(self)
        if self.padding == "SAME" and self.output_padding not in (0, (0,), (0, 0), (0, 0, 0)):
            raise ConfigError(
                f"{type(self).__name__}.output_padding = {self.output_padding} has no meaning with padding 'SAME', "
                "which gives size · stride",
                fix="give the padding in numbers",
            )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[self.axes])
        expect_floating(x)
        self._expect_output(x)
        return new_bank(self, key, x, self.axes), {}

    def forward(self, params: Params, x: Array) -> Array:
        axes = x.ndim - 2
        strides, dilation = per_axis(self.strides, axes), per_axis(self.dilation, axes)
        y = convolve_transposed(x, params["kernel"], strides, self._cut(axes), dilation, self.groups)
        return y + over_last(params["bias"], y) if self.use_bias else y

    def _reaches(self, axes: int) -> tuple[int, ...]:
        return extents(per_axis(self.kernel_size, axes), per_axis(self.dilation, axes))

    def _cut(self, axes: int) -> list[tuple[int, int]]:
        """How much of what the windows reach is left out at both ends of each axis; less than 0 adds zeros."""
        if self.padding == "SAME":
            surplus = [r - s for r, s in zip(self._reaches(axes), per_axis(self.strides, axes), strict=True)]
            return [(max(n, 0) // 2, n - max(n, 0) // 2) for n in surplus]
        given = ((0, 0),) * axes if self.padding == "VALID" else given_edges(self.padding)
        return [(low, high - more) for (low, high), more in zip(given, per_axis(self.output_padding, axes), strict=True)]

    def _expect_output(self, x: Spec) -> None:
        axes = len(x.shape) - 2
        geometry = zip(x.shape[1:-1], per_axis(self.strides, axes), self._reaches(axes), self._cut(axes), strict=True)
        if any((size - 1) * stride + reach - low - high < 1 for size, stride, reach, (low, high) in geometry):
            raise ShapeError(
                f"{type(self).__name__} of shape {tuple(x.shape)} leaves no output with padding {self.padding}",
                fix="pad less: padding is cut off the output",
            )


@dataclass(frozen=True)
class ConvTranspose1D(_ConvTranspose):
    """The transpose of `Conv1D`: (batch, length, in) -> (batch, length', features).

    y[b, stride · i + dilation · t - low] = bias + Σ x[b, i] kernel[t] over all (i, t) that meet there. length' =
    (length - 1) · stride + dilation · (kernel_size - 1) + 1 - low - high + output_padding with `padding` (low, high), which is
    cut off the output as in torch; "VALID" cuts nothing; with "SAME" length' = length · stride. `groups` splits input and
    output channels into that many independent layers.

    Parameters: `kernel` (kernel size, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = ConvTranspose1D(8, 3, strides=2, padding=(1, 1))
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 3))).shape
    ((3, 3, 8), (1, 13, 8))
    """

    axes: ClassVar[int] = 1
    kernel_size: Single
    strides: Single = 1
    padding: Padding1D = "SAME"
    output_padding: NonNegativeInt | tuple[NonNegativeInt] = 0
    dilation: Single = 1


@dataclass(frozen=True)
class ConvTranspose2D(_ConvTranspose):
    """The transpose of `Conv2D`: (batch, height, width, in) -> (batch, height', width', features).

    y[b, stride · i + dilation · t - low] = bias + Σ x[b, i] kernel[t] over all (i, t) that meet there, with i and t pairs.
    height' = (height - 1) · stride + dilation · (kernel_size - 1) + 1 - top - bottom + output_padding with `padding`
    ((top, bottom), (left, right)), which is cut off the output as in torch; "VALID" cuts nothing; with "SAME" height' =
    height · stride. `groups` splits input and output channels into that many independent layers.

    Parameters: `kernel` (kernel height, kernel width, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = ConvTranspose2D(8, 4, strides=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 6, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 6, 3))).shape
    ((4, 4, 3, 8), (1, 14, 12, 8))
    """

    axes: ClassVar[int] = 2
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding2D = "SAME"
    output_padding: NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt] = 0
    dilation: Pair = 1


@dataclass(frozen=True)
class ConvTranspose3D(_ConvTranspose):
    """The transpose of `Conv3D`: (batch, *spatial, in) -> (batch, *spatial', features), where spatial is
    (depth, height, width).

    Padding, `output_padding`, `dilation` and `groups` mean what they do in `ConvTranspose2D`, for each of three axes.

    Parameters: `kernel` (kernel depth, kernel height, kernel width, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = ConvTranspose3D(8, 2, strides=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2, 7, 6, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 2, 7, 6, 3))).shape
    ((2, 2, 2, 3, 8), (1, 4, 14, 12, 8))
    """

    axes: ClassVar[int] = 3
    kernel_size: Triple
    strides: Triple = 1
    padding: Padding3D = "SAME"
    output_padding: NonNegativeInt | tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt] = 0
    dilation: Triple = 1
