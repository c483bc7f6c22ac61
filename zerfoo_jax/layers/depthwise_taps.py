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
from zerfoo_jax.layers.windows import extents
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
    reaches = extents(kernel.shape[:-1], dilation)
    edges = [
        (reach - 1, size - 1 - (out - 1) * stride, stride - 1)
        for reach, size, out, stride in zip(reaches, x.shape[1:-1], dy.shape[1:-1], strides, strict=True)
    ]
    spread = lax.pad(dy, jnp.zeros((), dy.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    flipped = jnp.flip(kernel, range(kernel.ndim - 1))
    return depthwise(spread, flipped, (1,) * len(strides), dilation), _kernel_gradient(x, dy, kernel, strides, dilation)


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
