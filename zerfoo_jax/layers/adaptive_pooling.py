"""Pooling to a given output size, whatever the input's (He et al., arXiv 1406.4729; torch's bins), channels last."""

from dataclasses import dataclass
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolve import shifted
from zerfoo_jax.layers.pooling import first_max
from zerfoo_jax.layers.windows import AXES, Pair, Single, Sizes, Triple, per_axis
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _AdaptivePool(Layer):
    """What the adaptive pools share: output i of n along an axis of `size` is made of elements floor(i · size / n) to, but
    without, ceil((i + 1) · size / n)."""

    output_size: Sizes

    def _init(self, x: Spec, axes: int) -> tuple[Params, State]:
        expect_axes(x, AXES[axes])
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


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _taken(x: Array, axis: int, outputs: int) -> tuple[Array, ...]:
    """The first element of every bin, the second, ...; shorter bins repeat their last. That only reads, and its gradient too,
    where autodiff would add into places one after the other."""
    starts, counts = _bins(x.shape[axis], outputs)
    return tuple(jnp.take(x, starts + np.minimum(i, counts - 1), axis, mode="clip") for i in range(counts.max()))


def _taken_forward(x: Array, axis: int, outputs: int) -> tuple[tuple[Array, ...], Array]:
    return _taken(x, axis, outputs), x


def _taken_backward(axis: int, outputs: int, x: Array, gradients: tuple[Array, ...]) -> tuple[Array]:
    size = x.shape[axis]
    starts, counts = _bins(size, outputs)
    joined = jnp.concatenate(gradients, axis)
    # Each element sums what the bins that hold it send, the first of them, the second, ...; repeats are sent nothing.
    holders = [[(p - starts[i]) * outputs + i for i in range(outputs) if 0 <= p - starts[i] < counts[i]] for p in range(size)]
    total = jnp.zeros_like(x)
    for n in range(max(map(len, holders))):
        some = np.array([n < len(places) for places in holders]).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        sent = jnp.take(joined, np.array([places[n] if n < len(places) else 0 for places in holders]), axis, mode="clip")
        total = total + jnp.where(some, sent, jnp.zeros((), x.dtype))
    return (total,)


_taken.defvjp(_taken_forward, _taken_backward)


def _elements(x: Array, axis: int, outputs: int) -> tuple[Array, ...]:
    """As `_taken`; plain strided slices where all bins are of one size."""
    window = x.shape[axis] // outputs
    return tuple(shifted(x, axis, window, window)) if x.shape[axis] % outputs == 0 else _taken(x, axis, outputs)


@dataclass(frozen=True)
class _AdaptiveMaxPool(_AdaptivePool):
    """The maximum of each bin."""

    def forward(self, params: Params, x: Array) -> Array:
        for axis, outputs in self._sizes(x):
            x = reduce(first_max, _elements(x, axis, outputs))
        return x


@dataclass(frozen=True)
class _AdaptiveAvgPool(_AdaptivePool):
    """The mean of each bin."""

    def forward(self, params: Params, x: Array) -> Array:
        y = widened(x)
        for axis, outputs in self._sizes(x):
            _, counts = _bins(x.shape[axis], outputs)
            counts = counts.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
            parts = (jnp.where(i < counts, part, 0.0) for i, part in enumerate(_elements(y, axis, outputs)))
            y = reduce(jnp.add, parts) / jnp.asarray(counts, y.dtype)
        return y.astype(x.dtype)


@dataclass(frozen=True)
class AdaptiveMaxPool1D(_AdaptiveMaxPool):
    """The maximum of each of `output_size` bins: (batch, length, c) -> (batch, output_size, c).

    Bin i of n holds elements floor(i · length / n) to, but without, ceil((i + 1) · length / n), as in torch: bins may overlap.
    Among equals the gradient goes to the first.

    >>> AdaptiveMaxPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0]]])).ravel().tolist()
    [3.0, 3.0]
    """

    output_size: Single

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=1)


@dataclass(frozen=True)
class AdaptiveMaxPool2D(_AdaptiveMaxPool):
    """The maximum of each bin: (batch, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveMaxPool1D`.

    >>> AdaptiveMaxPool2D((1, 2)).forward({}, jnp.arange(6.0).reshape(1, 2, 3, 1)).ravel().tolist()
    [4.0, 5.0]
    """

    output_size: Pair

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=2)


@dataclass(frozen=True)
class AdaptiveMaxPool3D(_AdaptiveMaxPool):
    """The maximum of each bin: (batch, depth, height, width, c) -> (batch, *output_size, c), with bins as in
    `AdaptiveMaxPool1D`.

    >>> AdaptiveMaxPool3D((1, 2, 1)).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [5.0, 7.0]
    """

    output_size: Triple

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=3)


@dataclass(frozen=True)
class AdaptiveAvgPool1D(_AdaptiveAvgPool):
    """The mean of each of `output_size` bins: (batch, length, c) -> (batch, output_size, c).

    Bin i of n holds elements floor(i · length / n) to, but without, ceil((i + 1) · length / n), as in torch: bins may overlap.

    >>> AdaptiveAvgPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0]]])).ravel().tolist()
    [2.0, 2.5]
    """

    output_size: Single

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=1)


@dataclass(frozen=True)
class AdaptiveAvgPool2D(_AdaptiveAvgPool):
    """The mean of each bin: (batch, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveAvgPool1D`.

    >>> AdaptiveAvgPool2D((1, 2)).forward({}, jnp.arange(6.0).reshape(1, 2, 3, 1)).ravel().tolist()
    [2.0, 3.0]
    """

    output_size: Pair

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=2)


@dataclass(frozen=True)
class AdaptiveAvgPool3D(_AdaptiveAvgPool):
    """The mean of each bin: (batch, depth, height, width, c) -> (batch, *output_size, c), with bins as in `AdaptiveAvgPool1D`.

    >>> AdaptiveAvgPool3D((1, 2, 1)).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [2.5, 4.5]
    """

    output_size: Triple

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return self._init(x, axes=3)
