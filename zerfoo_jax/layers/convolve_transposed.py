"""Transposed cross-correlation over any number of spatial axes, as an ordinary one with more features.

The outputs at positions stride · q + r, for one r, see every stride-th tap of the kernel. All these phases are computed at
once as further features of a convolution of stride 1, and then interleaved (sub-pixel convolution; Shi et al.,
arXiv 1609.07009): no zeros are put between the inputs and multiplied, and every back end has a fast form of it.
"""

from collections.abc import Sequence
import math

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.convolve import convolve, pad_spatially

Numbers = Sequence[int]


def convolve_transposed(
    x: Array, kernel: Array, strides: Numbers, cut: Sequence[tuple[int, int]], dilation: Numbers, groups: int = 1
) -> Array:
    """y[stride · i + dilation · t - low] += x[i] kernel[t]: (batch, *spatial, in) -> (batch, *spatial', features), for a kernel
    (*taps, in / groups, features).

    `cut` says for each axis how much of the (size - 1) · stride + dilation · (taps - 1) + 1 outputs is left out at the low and
    the high end; a negative amount adds zeros.

    >>> ones = jnp.ones((1, 2, 1))
    >>> convolve_transposed(ones, jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), (2,), ((0, 0),), (1,)).ravel().tolist()
    [1.0, 2.0, 4.0, 2.0, 3.0]
    """
    axes = range(x.ndim - 2)
    # Phases and taps that are spread apart do not mix well: where there are phases, spread taps have zeros between.
    gaps = [dilation[i] - 1 if strides[i] > 1 else 0 for i in axes]
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), (*((0, 0, gap) for gap in gaps), (0, 0, 0), (0, 0, 0)))
    steps = [1 if strides[i] > 1 else dilation[i] for i in axes]
    phases = _phases(kernel, strides, groups)
    reach = [(phases.shape[i] - 1) * steps[i] for i in axes]
    lows, sizes = zip(*(_span(x, kernel, i, strides, steps, cut[i]) for i in axes), strict=True)
    first = [min(lows[i] // strides[i], reach[i]) for i in axes]
    last = [max(-(-(lows[i] + sizes[i]) // strides[i]), x.shape[i + 1]) for i in axes]
    padding = [(reach[i] - first[i], last[i] - x.shape[i + 1]) for i in axes]
    y = _interleaved(convolve(x, phases, (1,) * len(axes), padding, steps, groups), strides, groups)
    starts = [lows[i] - strides[i] * first[i] for i in axes]
    return pad_spatially(y, [(-starts[i], starts[i] + sizes[i] - y.shape[i + 1]) for i in axes])


def _span(x: Array, kernel: Array, axis: int, strides: Numbers, steps: Numbers, cut: tuple[int, int]) -> tuple[int, int]:
    """Where the output begins within all that the windows reach, and how long it is."""
    low, high = cut
    whole = (x.shape[axis + 1] - 1) * strides[axis] + (kernel.shape[axis] - 1) * steps[axis] + 1
    return low, whole - low - high


def _phases(kernel: Array, strides: Numbers, groups: int) -> Array:
    """The kernel of all phases: (ceil(taps / stride) for each axis, in / groups, groups · phases · features / groups)."""
    *taps, channels, features = kernel.shape
    axes = len(taps)
    counts = [-(-size // stride) for size, stride in zip(taps, strides, strict=True)]
    missing = [(0, count * stride - size, 0) for count, stride, size in zip(counts, strides, taps, strict=True)]
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), (*missing, (0, 0, 0), (0, 0, 0)))
    split = [size for pair in zip(counts, strides, strict=True) for size in pair]
    kernel = kernel.reshape(*split, channels, groups, features // groups)
    kernel = jnp.flip(kernel, range(0, 2 * axes, 2))
    kernel = kernel.transpose(*range(0, 2 * axes, 2), 2 * axes, 2 * axes + 1, *range(1, 2 * axes, 2), 2 * axes + 2)
    return kernel.reshape(*counts, channels, math.prod(strides) * features)


def _interleaved(y: Array, strides: Numbers, groups: int) -> Array:
    """Phases among the features, (batch, *spatial, groups · phases · rest), put side by side in space."""
    batch, *sizes, features = y.shape
    axes = len(sizes)
    y = y.reshape(batch, *sizes, groups, *strides, features // math.prod(strides) // groups)
    pairs = [axis for i in range(axes) for axis in (1 + i, 2 + axes + i)]
    y = y.transpose(0, *pairs, 1 + axes, 2 + 2 * axes)
    return y.reshape(batch, *(size * stride for size, stride in zip(sizes, strides, strict=True)), -1)
