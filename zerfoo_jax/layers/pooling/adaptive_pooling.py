"""Pooling to a given output size, whatever the input's (He et al., arXiv 1406.4729; torch's bins), channels last."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
import math
from typing import Any, ClassVar

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.windows import AXES, Pair, Single, Sizes, Triple, per_axis
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _AdaptivePool(Layer):
    """What the adaptive pools share: output i of n along an axis of `size` is made of elements floor(i · size / n) to, but
    without, ceil((i + 1) · size / n)."""

    axes: ClassVar[int]
    """The number of spatial axes."""
    output_size: Sizes

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[self.axes])
        expect_floating(x)
        if 0 in x.shape[1:-1]:
            raise ShapeError(f"{type(self).__name__} got no element to pool, shape {tuple(x.shape)}")
        return {}, {}

    def _sizes(self, x: Array) -> list[tuple[int, int]]:
        """The spatial axes and their output sizes, the last axis first: see `pooling`."""
        axes = x.ndim - 2
        return list(zip(range(1, 1 + axes), per_axis(self.output_size, axes), strict=True))[::-1]


def _bins(size: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each bin starts and how many elements it has."""
    i = np.arange(outputs)
    starts = i * size // outputs
    return starts, -(-(i + 1) * size // outputs) - starts


def _of_bins(x: Array, axis: int, outputs: int) -> list[Array]:
    """The elements of each bin."""
    starts, counts = _bins(x.shape[axis], outputs)
    return [lax.slice_in_dim(x, int(a), int(a + n), axis=axis) for a, n in zip(starts, counts, strict=True)]


def _to_elements(size: int, axis: int, outputs: int, sent: Callable[[int, int, int], Array]) -> Array:
    """For each element the sum of what the bins that hold it send; `sent(i, a, b)` is what bin i sends to elements a to b.

    That only reads, where autodiff would add a whole array for each bin.
    """
    starts, counts = _bins(size, outputs)
    ends = starts + counts
    cuts = sorted({*starts.tolist(), *ends.tolist()})
    holders = [[i for i in range(outputs) if starts[i] <= a < ends[i]] for a in cuts[:-1]]
    runs = zip(holders, cuts[:-1], cuts[1:], strict=True)
    return jnp.concatenate([reduce(jnp.add, (sent(i, a, b) for i in bins)) for bins, a, b in runs], axis)


def _along(places: np.ndarray, axis: int, x: Array) -> np.ndarray:
    """Numbers along `axis`, of the rank of `x`."""
    return places.reshape([-1 if i == axis else 1 for i in range(x.ndim)])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _max_of_bins(x: Array, axis: int, outputs: int) -> Array:
    return jnp.concatenate([jnp.max(part, axis, keepdims=True) for part in _of_bins(x, axis, outputs)], axis)


def _max_forward(x: Array, axis: int, outputs: int) -> tuple[Array, tuple[Array, Array]]:
    return (y := _max_of_bins(x, axis, outputs)), (x, y)


def _max_backward(axis: int, outputs: int, kept: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    x, y = kept
    size = x.shape[axis]
    places = jnp.asarray(_along(np.arange(size, dtype=np.int32), axis, x))
    best = [lax.slice_in_dim(y, i, i + 1, axis=axis) for i in range(outputs)]
    given = [lax.slice_in_dim(gradient, i, i + 1, axis=axis) for i in range(outputs)]
    # The first of equals; of NaNs, which equal nothing, too.
    first = [
        jnp.min(jnp.where((part == most) | jnp.isnan(part), within, size), axis, keepdims=True)
        for part, most, within in zip(_of_bins(x, axis, outputs), best, _of_bins(places, axis, outputs), strict=True)
    ]

    def sent(i: int, a: int, b: int) -> Array:
        here = lax.slice_in_dim(places, a, b, axis=axis) == first[i]
        return jnp.where(here, given[i], jnp.zeros((), x.dtype))

    return (_to_elements(size, axis, outputs, sent),)


_max_of_bins.defvjp(_max_forward, _max_backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _mean_of_bins(x: Array, axis: int, outputs: int) -> Array:
    return jnp.concatenate([jnp.mean(part, axis, keepdims=True) for part in _of_bins(x, axis, outputs)], axis)


def _mean_forward(x: Array, axis: int, outputs: int) -> tuple[Array, Array]:
    return _mean_of_bins(x, axis, outputs), x


def _mean_backward(axis: int, outputs: int, x: Array, gradient: Array) -> tuple[Array]:
    _, counts = _bins(x.shape[axis], outputs)
    shares = gradient / jnp.asarray(_along(counts, axis, x), x.dtype)

    def sent(i: int, a: int, b: int) -> Array:
        shape = [b - a if n == axis else size for n, size in enumerate(x.shape)]
        return jnp.broadcast_to(lax.slice_in_dim(shares, i, i + 1, axis=axis), shape)

    return (_to_elements(x.shape[axis], axis, outputs, sent),)


_mean_of_bins.defvjp(_mean_forward, _mean_backward)


def _repeating(of_bins: Callable[[Array, int, int], Any], x: Array, axis: int, outputs: int) -> Array:
    """`of_bins` applied to a view with as few different bins as there are: their pattern repeats gcd(size, outputs) times."""
    times = math.gcd(x.shape[axis], outputs)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    y = of_bins(x.reshape(*before, times, x.shape[axis] // times, *after), axis + 1, outputs // times)
    return y.reshape(*before, outputs, *after)


@dataclass(frozen=True)
class _AdaptiveMaxPool(_AdaptivePool):
    """The maximum of each bin."""

    def forward(self, params: Params, x: Array) -> Array:
        for axis, outputs in self._sizes(x):
            x = _repeating(_max_of_bins, x, axis, outputs)
        return x


@dataclass(frozen=True)
class _AdaptiveAvgPool(_AdaptivePool):
    """The mean of each bin."""

    def forward(self, params: Params, x: Array) -> Array:
        y = widened(x)
        for axis, outputs in self._sizes(x):
            y = _repeating(_mean_of_bins, y, axis, outputs)
        return y.astype(x.dtype)


@dataclass(frozen=True)
class AdaptiveMaxPool1D(_AdaptiveMaxPool):
    """The maximum of each of `output_size` bins: (batch, length, c) -> (batch, output_size, c).

    Bin i of n holds elements floor(i · length / n) to, but without, ceil((i + 1) · length / n), as in torch: bins may overlap.
    Among equals the gradient goes to the first.

    >>> AdaptiveMaxPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0]]])).ravel().tolist()
    [3.0, 3.0]
    """

    axes: ClassVar[int] = 1
    output_size: Single


@dataclass(frozen=True)
class AdaptiveMaxPool2D(_AdaptiveMaxPool):
    """The maximum of each bin: (batch, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveMaxPool1D`.

    >>> AdaptiveMaxPool2D((1, 2)).forward({}, jnp.arange(6.0).reshape(1, 2, 3, 1)).ravel().tolist()
    [4.0, 5.0]
    """

    axes: ClassVar[int] = 2
    output_size: Pair


@dataclass(frozen=True)
class AdaptiveMaxPool3D(_AdaptiveMaxPool):
    """The maximum of each bin: (batch, depth, height, width, c) -> (batch, *output_size, c), with bins as in
    `AdaptiveMaxPool1D`.

    >>> AdaptiveMaxPool3D((1, 2, 1)).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [5.0, 7.0]
    """

    axes: ClassVar[int] = 3
    output_size: Triple


@dataclass(frozen=True)
class AdaptiveAvgPool1D(_AdaptiveAvgPool):
    """The mean of each of `output_size` bins: (batch, length, c) -> (batch, output_size, c).

    Bin i of n holds elements floor(i · length / n) to, but without, ceil((i + 1) · length / n), as in torch: bins may overlap.

    >>> AdaptiveAvgPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0]]])).ravel().tolist()
    [2.0, 2.5]
    """

    axes: ClassVar[int] = 1
    output_size: Single


@dataclass(frozen=True)
class AdaptiveAvgPool2D(_AdaptiveAvgPool):
    """The mean of each bin: (batch, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveAvgPool1D`.

    >>> AdaptiveAvgPool2D((1, 2)).forward({}, jnp.arange(6.0).reshape(1, 2, 3, 1)).ravel().tolist()
    [2.0, 3.0]
    """

    axes: ClassVar[int] = 2
    output_size: Pair


@dataclass(frozen=True)
class AdaptiveAvgPool3D(_AdaptiveAvgPool):
    """The mean of each bin: (batch, depth, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveAvgPool1D`.

    >>> AdaptiveAvgPool3D((1, 2, 1)).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [2.5, 4.5]
    """

    axes: ClassVar[int] = 3
    output_size: Triple
