"""Depthwise and depthwise separable convolution over images, channels last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.convolution import Conv2D
from zerfoo_jax.layers.convolutions.windows import AXES, Padding2D, Pair
from zerfoo_jax.layers.initializers import InitializerSpec


@dataclass(frozen=True)
class DepthwiseConv2D(Layer):
    """A convolution of each channel by itself: (batch, height, width, c) -> (batch, height', width', c · multiplier).

    y[..., multiplier · k + j] is input channel k convolved with kernel[:, :, 0, multiplier · k + j]; otherwise as `Conv2D` with
    `groups` = c.

    Parameters: `kernel` (kernel height, kernel width, 1, c · multiplier), `bias` (c · multiplier,).

    >>> import jax, jax.numpy as jnp
    >>> layer = DepthwiseConv2D(3, multiplier=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 7, 3))).shape
    ((3, 3, 1, 6), (1, 7, 7, 6))
    """

    kernel_size: Pair
    strides: Pair = 1
    padding: Padding2D = "SAME"
    dilation: Pair = 1
    multiplier: PositiveInt = 1
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[2])
        return self._convolution(x.shape[-1]).init(key, x)

    def forward(self, params: Params, x: Array) -> Array:
        return self._convolution(x.shape[-1]).forward(params, x)

    def _convolution(self, channels: int) -> Conv2D:
        return Conv2D(
            channels * self.multiplier,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation,
            channels,
            self.use_bias,
            self.kernel_init,
            self.bias_init,
        )


@dataclass(frozen=True)
class SeparableConv2D(Composite):
    """A depthwise convolution over space, then a 1 x 1 convolution over channels: (batch, height, width, c) ->
    (batch, height', width', features) (Chollet, arXiv 1610.02357).

    Parameters: `depthwise` with `kernel` (kernel height, kernel width, 1, c · multiplier); `pointwise` with `kernel`
    (1, 1, c · multiplier, features) and `bias` (features,).

    >>> import jax, jax.numpy as jnp
    >>> layer = SeparableConv2D(8, 3, strides=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 7, 3), jnp.float32))
    >>> layer.apply(params, state, jnp.ones((1, 7, 7, 3)))[0].shape
    (1, 4, 4, 8)
    """

    features: PositiveInt
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding2D = "SAME"
    dilation: Pair = 1
    multiplier: PositiveInt = 1
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def children(self) -> Mapping[str, Layer]:
        return {
            "depthwise": DepthwiseConv2D(
                self.kernel_size,
                self.strides,
                self.padding,
                self.dilation,
                self.multiplier,
                use_bias=False,
                kernel_init=self.kernel_init,
            ),
            "pointwise": Conv2D(
                self.features, 1, use_bias=self.use_bias, kernel_init=self.kernel_init, bias_init=self.bias_init
            ),
        }

    def connect(self, call: Callable[..., Array], x: Array) -> Array:
        return call("pointwise", call("depthwise", x))
