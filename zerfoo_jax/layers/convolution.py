"""Convolution over images, channels last."""

from dataclasses import dataclass

import jax
from jax import lax

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.layers.windows import Padding, Pair, edges, pair


@dataclass(frozen=True)
class Conv2D(Layer):
    """Cross-correlation with a bank of kernels: (batch, height, width, in) -> (batch, height', width', features).

    `groups` splits input and output channels into that many independent convolutions; `groups` = in is depthwise.
    `dilation` spreads the kernel's taps apart. With padding `SAME`, height' = ceil(height / stride).

    Parameters: `kernel` (kernel height, kernel width, in / groups, features), `bias` (features,).

    >>> import jax.numpy as jnp
    >>> layer = Conv2D(8, 3, strides=2)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 7, 7, 3), jnp.float32))
    >>> params["kernel"].shape, layer.forward(params, jnp.ones((1, 7, 7, 3))).shape
    ((3, 3, 3, 8), (1, 4, 4, 8))
    """

    features: PositiveInt
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding = "SAME"
    dilation: Pair = 1
    groups: PositiveInt = 1
    use_bias: bool = True
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features % self.groups:
            raise ConfigError(
                f"Conv2D.features = {self.features} is not a multiple of groups = {self.groups}",
                fix="choose features as a multiple of groups",
            )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch height width channels")
        expect_floating(x)
        self._edges(x)
        channels = x.shape[-1]
        if channels % self.groups:
            raise ShapeError(
                f"Conv2D got {channels} input channels, not a multiple of groups = {self.groups}",
                fix="choose groups as a divisor of the input channels",
            )
        kernel_key, bias_key = jax.random.split(key)
        shape = (*pair(self.kernel_size), channels // self.groups, self.features)
        params = {"kernel": initialize(self.kernel_init, kernel_key, shape, param_dtype(x))}
        if self.use_bias:
            params["bias"] = initialize(self.bias_init, bias_key, (self.features,), param_dtype(x))
        return params, {}

    def forward(self, params: Params, x: Array) -> Array:
        y = lax.conv_general_dilated(
            x,
            params["kernel"],
            window_strides=pair(self.strides),
            padding=self._edges(x),
            rhs_dilation=pair(self.dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=self.groups,
        )
        return y + over_last(params["bias"], y) if self.use_bias else y

    def _edges(self, x: Array | Spec) -> tuple[tuple[int, int], tuple[int, int]]:
        taps = zip(pair(self.kernel_size), pair(self.dilation), strict=True)
        extent = [(size - 1) * dilation + 1 for size, dilation in taps]
        return edges(x.shape[1:3], extent, pair(self.strides), self.padding)
