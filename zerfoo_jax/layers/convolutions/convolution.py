"""Convolution over sequences, images and volumes, channels last."""

from dataclasses import dataclass
from typing import ClassVar

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.convolve import convolve
from zerfoo_jax.layers.convolutions.kernel_bank import expect_groups, new_bank
from zerfoo_jax.layers.convolutions.windows import (
    AXES,
    Edges,
    Padding,
    Padding1D,
    Padding2D,
    Padding3D,
    Pair,
    Single,
    Sizes,
    Triple,
    edges,
    extents,
    per_axis,
)
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec
from zerfoo_jax.layers.quantized.kernel import Kernel


@dataclass(frozen=True)
class _Convolution(Layer):
    """What the convolutions share; they differ in their number of spatial axes."""

    axes: ClassVar[int]
    """The number of spatial axes."""
    features: PositiveInt
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: PositiveInt = 1
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_groups(self)

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[self.axes])
        expect_floating(x)
        self._edges(x)
        return new_bank(self, key, x, self.axes), {}

    def forward(self, params: Params, x: Array) -> Array:
        axes = x.ndim - 2
        strides, dilation = per_axis(self.strides, axes), per_axis(self.dilation, axes)
        reach = (strides, self._edges(x), dilation)
        kernel = params["kernel"]
        if isinstance(kernel, Kernel):
            y = kernel.convolved(x, lambda x, kernel: convolve(x, kernel, *reach, self.groups), self.groups)
        else:
            y = convolve(x, kernel, *reach, self.groups)
        return y + over_last(params["bias"], y) if self.use_bias else y

    def _edges(self, x: Array | Spec) -> tuple[Edges, ...]:
        axes = len(x.shape) - 2
        reaches = extents(per_axis(self.kernel_size, axes), per_axis(self.dilation, axes))
        return edges(x.shape[1:-1], reaches, per_axis(self.strides, axes), self.padding)


@dataclass(frozen=True)
class Conv1D(_Convolution):
    """Cross-correlation with a bank of kernels: (batch, length, in) -> (batch, length', features).

    y[b, p] = bias + Σ_t x[b, stride · p + dilation · t - low] kernel[t], with zeros around x. `groups` splits input and output
    channels into that many independent convolutions. With padding `SAME`, length' = ceil(length / stride); (low, high) pads
    unevenly, e.g. (dilation · (kernel_size - 1), 0) for a causal convolution.

    Parameters: `kernel` (kernel size, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = Conv1D(8, 3, padding=(2, 0))
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 3))).shape
    ((3, 3, 8), (1, 7, 8))
    """

    axes: ClassVar[int] = 1
    kernel_size: Single
    strides: Single = 1
    padding: Padding1D = "SAME"
    dilation: Single = 1


@dataclass(frozen=True)
class Conv2D(_Convolution):
    """Cross-correlation with a bank of kernels: (batch, height, width, in) -> (batch, height', width', features).

    `groups` splits input and output channels into that many independent convolutions; `groups` = in is depthwise.
    `dilation` spreads the kernel's taps apart. With padding `SAME`, height' = ceil(height / stride).

    Parameters: `kernel` (kernel height, kernel width, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = Conv2D(8, 3, strides=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 7, 3))).shape
    ((3, 3, 3, 8), (1, 4, 4, 8))
    """

    axes: ClassVar[int] = 2
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding2D = "SAME"
    dilation: Pair = 1


@dataclass(frozen=True)
class Conv3D(_Convolution):
    """Cross-correlation with a bank of kernels: (batch, *spatial, in) -> (batch, *spatial', features), where spatial is
    (depth, height, width).

    `groups`, `dilation` and `padding` mean what they do in `Conv2D`, for each of three axes.

    Parameters: `kernel` (kernel depth, kernel height, kernel width, in / groups, features), `bias` (features,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer = Conv3D(8, 3, strides=(1, 2, 2))
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4, 7, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 4, 7, 7, 3))).shape
    ((3, 3, 3, 3, 8), (1, 4, 4, 4, 8))
    """

    axes: ClassVar[int] = 3
    kernel_size: Triple
    strides: Triple = 1
    padding: Padding3D = "SAME"
    dilation: Triple = 1
