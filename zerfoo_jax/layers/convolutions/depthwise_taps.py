"""Depthwise convolution as a sum over the kernel's taps of shifted inputs, each times one number per channel.

This is element-wise arithmetic, which XLA's CPU back end runs in one pass; its own grouped convolution is 18 times slower than
torch's. The kernel's gradient is summed row by row, so that what is read stays in the cache.
"""

from collections.abc import Sequence
from functools import partial, reduce
import math

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.convolutions.interleave import interleave
from zerfoo_jax.layers.convolutions.windows import extents
from zerfoo_jax.numeric import wide_dtype, widened


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """y[p, c] = Σ_t x[strides · p + dilation · t, c] kernel[t, c]: (batch, *spatial, c) -> (batch, *spatial', c), whole windows
    only, for a kernel (*taps, c).

    >>> depthwise(jnp.ones((1, 3, 2)), jnp.array([[1.0, 2.0], [1.0, 3.0]]), (1,), (1,)).tolist()
    [[[2.0, 5.0], [2.0, 5.0]]]
    """
    kernel = widened(kernel)
    products = (
        widened(_at_tap(x, tap, kernel.shape, strides, dilation)) * kernel[tap].reshape((1,) * (x.ndim - 1) + (-1,))
        for tap in np.ndindex(kernel.shape[:-1])
    )
    return reduce(jnp.add, products).astype(x.dtype)


def _at_tap(
    x: Array, tap: Sequence[int], kernel_shape: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> Array:
    """The element that one tap meets, for every position of the window; `x` is (batch, *spatial, c)."""
    starts = [t * step for t, step in zip(tap, dilation, strict=True)]
    spans = [
        (size - reach) // stride * stride + 1
        for size, reach, stride in zip(x.shape[1:-1], extents(kernel_shape[:-1], dilation), strides, strict=True)
    ]
    limits = [start + span for start, span in zip(starts, spans, strict=True)]
    return lax.slice(x, (0, *starts, 0), (x.shape[0], *limits, x.shape[-1]), (1, *strides, 1))


def _forward(x: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[Array, tuple[Array, Array]]:
    return depthwise(x, kernel, strides, dilation), (x, kernel)


def _backward(
    strides: tuple[int, ...], dilation: tuple[int, ...], saved: tuple[Array, Array], dy: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    return (
        _input_gradient(dy, kernel, x.shape[1:-1], strides, dilation),
        _kernel_gradient(x, dy, kernel, strides, dilation),
    )


def _input_gradient(dy: Array, kernel: Array, sizes: Sequence[int], strides: Sequence[int], dilation: Sequence[int]) -> Array:
    """Σ_t dy[q - t] kernel[stride · t + r] at stride · q + r: each r sees every stride-th tap, and no zeros are multiplied."""
    axes = range(len(strides))
    for i in axes:  # phases and taps that are spread apart do not mix well: the spread taps get zeros between
        kernel = _padded(kernel, i, 0, 0, dilation[i] - 1 if strides[i] > 1 else 0)
    steps = tuple(1 if strides[i] > 1 else dilation[i] for i in axes)
    counts = [-(-sizes[i] // strides[i]) for i in axes]
    parts = []
    for phase in np.ndindex(*strides):
        part, taps = dy, kernel[tuple(slice(r, None, stride) for r, stride in zip(phase, strides, strict=True))]
        for i in axes:
            reach = max(taps.shape[i] - 1, 0) * steps[i]
            part = _padded(part, 1 + i, reach, counts[i] - dy.shape[1 + i])
        unseen = jnp.zeros((dy.shape[0], *counts, dy.shape[-1]), dy.dtype)
        parts.append(depthwise(part, jnp.flip(taps, axes), (1,) * len(steps), steps) if taps.size else unseen)
    for i in reversed(axes):
        parts = [interleave(parts[n : n + strides[i]], 1 + i) for n in range(0, len(parts), strides[i])]
    return lax.slice(parts[0], (0,) * dy.ndim, (dy.shape[0], *sizes, dy.shape[-1]))


def _padded(x: Array, axis: int, low: int, high: int, between: int = 0) -> Array:
    amounts = [(0, 0, 0)] * x.ndim
    amounts[axis] = (low, high, between)
    return lax.pad(x, jnp.zeros((), x.dtype), amounts)


def _kernel_gradient(x: Array, dy: Array, kernel: Array, strides: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """Σ_p x[strides · p + dilation · t] dy[p] for each tap t, summed over one row of the last spatial axis at a time."""
    *rows, width, channels = dy.shape
    taps = list(np.ndindex(kernel.shape[:-1]))

    def add_row(row: Array, sums: tuple[Array, ...]) -> tuple[Array, ...]:
        where = jnp.unravel_index(row, rows)
        g = widened(lax.dynamic_slice(dy, (*where, 0, 0), (*(1,) * len(rows), width, channels)))
        starts = [i * stride for i, stride in zip(where[1:], strides[:-1], strict=True)]
        reaches = extents(kernel.shape[:-2], dilation[:-1])
        window = lax.dynamic_slice(x, (where[0], *starts, 0, 0), (1, *reaches, *x.shape[-2:]))
        return tuple(
            total + (widened(_at_tap(window, tap, kernel.shape, strides, dilation)) * g).reshape(width, channels)
            for total, tap in zip(sums, taps, strict=True)
        )

    zeros = (jnp.zeros((width, channels), wide_dtype(dy.dtype)),) * len(taps)
    sums = lax.fori_loop(0, math.prod(rows), add_row, zeros)
    return jnp.stack([jnp.sum(total, axis=0) for total in sums]).reshape(kernel.shape).astype(kernel.dtype)


depthwise.defvjp(_forward, _backward)
