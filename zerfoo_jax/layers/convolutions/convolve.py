"""Cross-correlation over any number of spatial axes, each case in the form that its back end runs fast.

XLA's CPU back end has an excellent convolution over two axes in one group, and 10 to 300 times slower code for everything
else: three axes, groups, gradients of kernels where the output is larger than the input. There, other cases are put in terms
of that one, of matrix products and of element-wise sums. Other back ends convolve natively.
"""

from collections.abc import Sequence
from functools import partial, reduce
import math

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.forms import are_for_cpu
from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.convolutions.depthwise_taps import depthwise
from zerfoo_jax.layers.convolutions.windows import Edges, extents
from zerfoo_jax.numeric import widened

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
"""How XLA names the axes of the input, the kernel and the output, by the number of spatial axes."""

_FULL_GROUP = 32
"""Channels from which a convolution is efficient: narrower groups are joined, their kernels on the diagonal among zeros."""

_FEW_CHANNELS = 4
"""Channels up to which a group is faster as so many depthwise convolutions."""

Numbers = Sequence[int]


def convolve(x: Array, kernel: Array, strides: Numbers, padding: Sequence[Edges], dilation: Numbers, groups: int = 1) -> Array:
    """y[p] = Σ_t x[strides · p + dilation · t - low] kernel[t], with zeros around x: (batch, *spatial, in) ->
    (batch, *spatial', features), for a kernel (*taps, in / groups, features).

    >>> convolve(jnp.arange(4.0).reshape(1, 4, 1), jnp.ones((2, 1, 1)), (2,), ((0, 0),), (1,)).ravel().tolist()
    [1.0, 5.0]
    """
    axes = x.ndim - 2
    if are_for_cpu():
        return _convolve_on_cpu(x, kernel, tuple(strides), tuple(padding), tuple(dilation), groups)
    return lax.conv_general_dilated(
        x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=LAYOUTS[axes], feature_group_count=groups
    )


def _convolve_on_cpu(
    x: Array, kernel: Array, strides: Numbers, padding: Sequence[Edges], dilation: Numbers, groups: int
) -> Array:
    *taps, per_group, _ = kernel.shape
    if groups > 1 and per_group <= _FEW_CHANNELS:
        return _channel_by_channel(x, kernel, strides, padding, dilation, groups)
    if groups > 1:
        return _in_groups(x, kernel, strides, padding, dilation, groups)
    if math.prod(taps) == 1:
        return _pointwise(pad_spatially(x, padding), kernel, strides)
    if tuple(taps) == tuple(strides) and set(dilation) == {1}:
        return _patchwise(pad_spatially(x, padding), kernel)
    if len(taps) > 2:
        return _first_axis_in_channels(x, kernel, strides, padding, dilation)
    if any(sum(pair) >= reach for pair, reach in zip(padding, extents(taps, dilation), strict=True)):
        # A larger output than input: the kernel's gradient is slow unless the zeros are there in fact.
        x, padding = pad_spatially(x, padding), ((0, 0),) * len(taps)
    return lax.conv_general_dilated(x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=LAYOUTS[len(taps)])


def pad_spatially(x: Array, padding: Sequence[Edges], value: float = 0.0) -> Array:
    """`x` with `value` around its spatial axes; negative amounts cut off.

    >>> pad_spatially(jnp.ones((1, 2, 1)), ((1, 0),)).ravel().tolist()
    [0.0, 1.0, 1.0]
    """
    if not any(map(any, padding)):
        return x
    return lax.pad(x, jnp.asarray(value, x.dtype), ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)))


def _pointwise(x: Array, kernel: Array, strides: Numbers) -> Array:
    """A kernel of one tap is a matrix product."""
    x = x[:, *(slice(None, None, stride) for stride in strides)]
    y = jnp.matmul(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), kernel.reshape(kernel.shape[-2:]))
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


def _patchwise(x: Array, kernel: Array) -> Array:
    """Windows side by side are rows of a matrix."""
    *taps, channels, features = kernel.shape
    counts = [size // tap for size, tap in zip(x.shape[1:-1], taps, strict=True)]
    x = x[:, *(slice(count * tap) for count, tap in zip(counts, taps, strict=True))]
    split = [size for pair in zip(counts, taps, strict=True) for size in pair]
    order = [*range(1, 2 * len(taps), 2), *range(2, 2 * len(taps) + 1, 2)]
    patches = x.reshape(x.shape[0], *split, channels).transpose(0, *order, 2 * len(taps) + 1)
    y = jnp.matmul(patches.reshape(x.shape[0] * math.prod(counts), math.prod(taps) * channels), kernel.reshape(-1, features))
    return y.reshape(x.shape[0], *counts, features)


def _first_axis_in_channels(x: Array, kernel: Array, strides: Numbers, padding: Sequence[Edges], dilation: Numbers) -> Array:
    """The taps along the first spatial axis become channels, its positions become a part of the batch."""
    taps = kernel.shape[0]
    x = pad_spatially(x, (padding[0], *((0, 0),) * (len(padding) - 1)))
    slices = shifted(x, 1, taps, strides[0], dilation[0])
    stacked = jnp.concatenate(slices, axis=-1)
    batch, positions = stacked.shape[:2]
    kernel = jnp.moveaxis(kernel, 0, -3).reshape(*kernel.shape[1:-2], -1, kernel.shape[-1])
    y = _convolve_on_cpu(
        stacked.reshape(batch * positions, *stacked.shape[2:]), kernel, strides[1:], padding[1:], dilation[1:], 1
    )
    return y.reshape(batch, positions, *y.shape[1:])


def shifted(x: Array, axis: int, taps: int, stride: int, dilation: int = 1) -> list[Array]:
    """For each tap of a window that moves along `axis`, the elements that it meets.

    >>> [s.tolist() for s in shifted(jnp.arange(5), 0, 2, 2)]
    [[0, 2], [1, 3]]
    """
    reach = (taps - 1) * dilation + 1
    span = (x.shape[axis] - reach) // stride * stride + 1
    return [lax.slice_in_dim(x, start, start + span, stride, axis) for start in range(0, reach, dilation)]


def _channel_by_channel(
    x: Array, kernel: Array, strides: Numbers, padding: Sequence[Edges], dilation: Numbers, groups: int
) -> Array:
    """The first channel of every group convolved depthwise, the second, ...; their sum."""
    per_group, features = kernel.shape[-2:]
    wide = (x if per_group == 1 else widened(x)).reshape(*x.shape[:-1], groups, per_group)

    def part(i: int) -> Array:
        channels = pad_spatially(jnp.repeat(wide[..., i], features // groups, axis=-1), padding)
        return jnp.asarray(depthwise(channels, kernel[..., i, :], tuple(strides), tuple(dilation)))

    return reduce(jnp.add, map(part, range(per_group))).astype(x.dtype)


def _in_groups(x: Array, kernel: Array, strides: Numbers, padding: Sequence[Edges], dilation: Numbers, groups: int) -> Array:
    """Each group by itself, or several narrow ones at once."""
    per_group = kernel.shape[-2]
    joined = next(n for n in range(1, groups + 1) if groups % n == 0 and (n * per_group >= _FULL_GROUP or n == groups))
    parts = groups // joined
    one = partial(_convolve_on_cpu, strides=strides, padding=padding, dilation=dilation, groups=1)
    pairs = zip(jnp.split(x, parts, axis=-1), jnp.split(kernel, parts, axis=-1), strict=True)
    return jnp.concatenate([one(part, _on_diagonal(bank, joined)) for part, bank in pairs], axis=-1)


def _on_diagonal(kernel: Array, groups: int) -> Array:
    """The kernel of one convolution that does what `groups` do: theirs as blocks on the diagonal."""
    if groups == 1:
        return kernel
    *taps, per_group, features = kernel.shape
    blocks = kernel.reshape(*taps, 1, per_group, groups, features // groups)
    eye = jnp.eye(groups, dtype=kernel.dtype).reshape(*(1,) * len(taps), groups, 1, groups, 1)
    return (blocks * eye).reshape(*taps, groups * per_group, features)
