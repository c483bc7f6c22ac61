"""Convolutions, channels first as in ONNX: (batch, channels, *spatial), kernels (features, channels / groups, *taps)."""

from collections.abc import Sequence
import math

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.formats.operators.windows import halved, reaches, windows
from zerfoo_jax.layers.convolutions.convolve import convolve
from zerfoo_jax.layers.convolutions.convolve_transposed import convolve_transposed
from zerfoo_jax.numeric import widened

Ints = Sequence[int]


def Conv(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """y[n, m, p] = b[m] + Σ_{c,t} x[n, c, stride · p + dilation · t - low] w[m, c, t], with zeros around x."""
    _expect_kernel(w, kernel_shape)
    _expect_channels(x, group, w.shape[1] * group)
    placed = windows(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    kernel = jnp.moveaxis(jnp.asarray(w), (1, 0), (-2, -1))
    y = convolve(_channels_last(x), kernel, placed.strides, placed.edges, placed.dilations, group)
    return _channels_first(y, b)


def ConvTranspose(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    output_padding: Ints = (),
    output_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """y[n, m, stride · i + dilation · t - low] += x[n, c, i] w[c, m, t], for kernels (channels, features / groups, *taps).

    `output_shape` and `auto_pad` say how large the output is, and so what is cut off its ends.
    """
    _expect_kernel(w, kernel_shape)
    _expect_channels(x, group, w.shape[0])
    axes = x.ndim - 2
    # The windows over the output would be these; here only their numbers are wanted, and checked.
    strides, dilations = tuple(strides) or (1,) * axes, tuple(dilations) or (1,) * axes
    extra = tuple(output_padding) or (0,) * axes
    pads = tuple(pads) or (0,) * (2 * axes)
    if not len(strides) == len(dilations) == len(extra) == len(pads) / 2 == axes or min(*strides, *dilations) < 1:
        raise FormatError(f"strides {strides}, dilations {dilations}, pads {pads} and {extra} are not for {axes} spatial axes")
    full = [
        (size - 1) * stride + reach
        for size, stride, reach in zip(x.shape[2:], strides, reaches(w.shape[2:], dilations), strict=True)
    ]
    wanted = tuple(output_shape)[-axes:] or _same_shape(x, strides, auto_pad)
    cuts = []
    for i in range(axes):
        if wanted:
            low, _ = halved(max(full[i] + extra[i] - wanted[i], 0), auto_pad)
            cuts.append((low, full[i] - low - wanted[i]))
        else:
            cuts.append((pads[i], pads[axes + i] - extra[i]))
    check_output_size((x.shape[0], w.shape[1] * group, *(n - low - high for n, (low, high) in zip(full, cuts, strict=True))))
    kernel = w.reshape(group, w.shape[0] // group, *w.shape[1:])
    kernel = jnp.moveaxis(jnp.asarray(kernel), (1, 0, 2), (-3, -2, -1))
    kernel = kernel.reshape(*kernel.shape[:-2], group * w.shape[1])
    return _channels_first(convolve_transposed(_channels_last(x), kernel, strides, cuts, dilations, group), b)


def _same_shape(x: Array, strides: Ints, auto_pad: str) -> Ints:
    """The spatial sizes that `auto_pad` asks for, if it asks for any."""
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        return ()
    return tuple(size * stride for size, stride in zip(x.shape[2:], strides, strict=True))


def CausalConvWithState(
    x: Array, weight: Array, bias: Array | None = None, past_state: Array | None = None, *, activation: str = "none"
) -> tuple[Array, Array]:
    """A depthwise convolution over (batch, channels, length) that sees no later positions, and the last of its inputs.

    `past_state` holds the k - 1 positions before the first, zeros unless given.
    """
    before = weight.shape[2] - 1
    if past_state is None:
        past_state = jnp.zeros((*x.shape[:2], before), x.dtype)
    padded = jnp.concatenate([past_state, x], axis=2)
    y = Conv(padded, weight, bias, group=x.shape[1])
    if activation in ("silu", "swish"):
        y = jax.nn.silu(widened(y)).astype(x.dtype)
    elif activation != "none":
        raise FormatError(f"CausalConvWithState has no activation {activation!r}", fix="known: none, silu, swish")
    return y, padded[:, :, padded.shape[2] - before :]


def Col2Im(
    x: Array, image_shape: Known, block_shape: Known, *, dilations: Ints = (), pads: Ints = (), strides: Ints = ()
) -> Array:
    """Blocks added up where they lie: (batch, channels · taps, blocks) -> (batch, channels, *image_shape).

    It is the transpose of cutting an image into the blocks that a convolution sees.
    """
    image, block = check_output_size(image_shape.tolist()), check_output_size(block_shape.tolist())
    placed = windows(image, block, strides, dilations, pads)
    counts, taps = placed.counts(image), math.prod(block)
    if x.ndim != 3 or x.shape[1] % taps or x.shape[2] != math.prod(counts):
        raise ShapeError(f"blocks of shape {tuple(x.shape)} do not make an image of {image} out of {counts} blocks of {block}")
    channels = x.shape[1] // taps
    check_output_size((x.shape[0], channels, *image))
    check_output_size((taps, taps))
    blocks = jnp.asarray(x).reshape(x.shape[0] * channels, taps, *counts)
    kernel = jnp.eye(taps, dtype=x.dtype).reshape(*block, taps, 1)
    full = [(n - 1) * stride + reach for n, stride, reach in zip(counts, placed.strides, placed.reaches(), strict=True)]
    cut = [(low, n - low - size) for n, (low, _), size in zip(full, placed.edges, image, strict=True)]
    y = convolve_transposed(_channels_last(blocks), kernel, placed.strides, cut, placed.dilations)
    return y.reshape(x.shape[0], channels, *image)


def _expect_kernel(w: Array, kernel_shape: Ints) -> None:
    if kernel_shape and tuple(kernel_shape) != w.shape[2:]:
        raise FormatError(f"kernel_shape {tuple(kernel_shape)} is not that of the weights, {w.shape}")


def _expect_channels(x: Array, group: int, channels: int) -> None:
    if x.ndim < 3 or group < 1 or x.shape[1] != channels or channels % group:
        raise ShapeError(f"a convolution of {channels} channels in {group} groups got an input of shape {tuple(x.shape)}")


def _channels_last(x: Array) -> Array:
    return jnp.moveaxis(jnp.asarray(x), 1, -1)


def _channels_first(y: Array, bias: Array | None) -> Array:
    if bias is not None:
        y = y + bias.reshape(*(1,) * (y.ndim - 1), bias.size).astype(y.dtype)
    return jnp.moveaxis(y, -1, 1)
