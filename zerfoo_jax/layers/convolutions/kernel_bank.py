"""What convolutions and their transposes share: a bank of kernels, in groups of channels, and its bias."""

from typing import Any

import jax

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.types import Array, Params, Spec, param_dtype
from zerfoo_jax.layers.convolutions.windows import per_axis
from zerfoo_jax.layers.initializers import initialize


def expect_groups(layer: Any) -> None:
    """Raises `ConfigError` unless `features` divide into `groups`."""
    if layer.features % layer.groups:
        raise ConfigError(
            f"{type(layer).__name__}.features = {layer.features} is not a multiple of groups = {layer.groups}",
            fix="choose features as a multiple of groups",
        )


def new_bank(layer: Any, key: Array, x: Spec, axes: int) -> Params:
    """`kernel` (*kernel size, in / groups, features) and, with `use_bias`, `bias` (features,), as the layer's fields say.

    Raises `ShapeError` unless the input channels divide into `groups`.
    """
    channels = x.shape[-1]
    if channels % layer.groups:
        raise ShapeError(
            f"{type(layer).__name__} got {channels} input channels, not a multiple of groups = {layer.groups}",
            fix="choose groups as a divisor of the input channels",
        )
    kernel_key, bias_key = jax.random.split(key)
    shape = (*per_axis(layer.kernel_size, axes), channels // layer.groups, layer.features)
    params = {"kernel": initialize(layer.kernel_init, kernel_key, shape, param_dtype(x))}
    if layer.use_bias:
        params["bias"] = initialize(layer.bias_init, bias_key, (layer.features,), param_dtype(x))
    return params
