"""Pooling, channels first: (batch, channels, *spatial).

A window is folded along one spatial axis after the other, over strided slices, as the layers that pool do and for their
reasons: see `layers.pooling.pooling`.
"""

from collections.abc import Callable, Sequence
from functools import reduce
import math
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.limits import check_count
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.formats.operators.windows import Windows, windows
from zerfoo_jax.layers.convolutions.convolve import shifted
from zerfoo_jax.layers.pooling.pooling import first_max
from zerfoo_jax.numeric import widened

Ints = Sequence[int]

MAX_TAPS = 4096
"""Of a window along one axis: each is a slice of the input."""


def MaxPool(
    x: Array,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = (),
    pads: Ints = (),
    storage_order: int = 0,
    strides: Ints = (),
    outputs: int = 1,
) -> Array | tuple[Array, Array]:
    """The maximum of each window, and where it lies: its place in the flat input, of whose spatial axes the last runs fastest,
    or the first with `storage_order` = 1.

    The first of equals counts, also for the gradient. Padding never wins.
    """
    placed = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    if outputs < 2:
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            return _folded(x, placed, jnp.iinfo(x.dtype).min, jnp.maximum)
        return _folded(x, placed, -jnp.inf, first_max)
    return _max_with_places(x, placed, _places(x.shape, storage_order))


def _max_with_places(x: Array, placed: Windows, places: np.ndarray) -> tuple[Array, Array]:
    """The maximum of each window and its place; -1, the padding's, gives way to any other."""
    inexact = jnp.issubdtype(x.dtype, jnp.inexact)
    y = _padded(x, placed, -jnp.inf if inexact else jnp.iinfo(x.dtype).min)
    where = _padded(jnp.asarray(places), placed, -1)

    def better(best: tuple[Array, Array], new: tuple[Array, Array]) -> tuple[Array, Array]:
        taken = (new[0] > best[0]) | (best[1] < 0)
        if inexact:
            taken |= jnp.isnan(new[0]) & ~jnp.isnan(best[0])
        return jnp.where(taken, new[0], best[0]), jnp.where(taken, new[1], best[1])

    for axis in _last_first(placed):
        y, where = reduce(better, zip(_slices(y, placed, axis), _slices(where, placed, axis), strict=True))
    return y, where


def _places(shape: Ints, storage_order: int) -> np.ndarray:
    """The number of each element of a flat array of that shape, as int64 where there is that."""
    batch, channels, *spatial = shape
    inner = np.arange(math.prod(spatial)).reshape(spatial, order="F" if storage_order else "C")
    outer = np.arange(batch * channels).reshape(batch, channels, *(1,) * len(spatial)) * inner.size
    return (outer + inner).astype(jax.dtypes.canonicalize_dtype(np.int64))


def AveragePool(
    x: Array,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """The mean of each window: over its elements within the input, or within the padded input with `count_include_pad`."""
    placed = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    # What `ceil_mode` adds beyond the given padding is never counted.
    counted = _windows(x, kernel_shape, strides, dilations, pads, auto_pad).edges if count_include_pad else None
    counts = _counts(x.shape[2:], placed, counted)
    total = _summed(widened(x), placed)
    return (total / jnp.asarray(counts, total.dtype)).astype(x.dtype)


def _counts(sizes: Ints, placed: Windows, edges: Sequence[tuple[int, int]] | None) -> np.ndarray:
    """How many elements each window counts, (1, 1, *spatial'): those within the input and the edges."""
    counts = np.ones((1, 1))
    for i, size in enumerate(sizes):
        low, high = edges[i] if edges else (0, 0)
        starts = np.arange(placed.counts(sizes)[i]) * placed.strides[i] - placed.edges[i][0]
        taps = starts[:, None] + np.arange(placed.taps[i]) * placed.dilations[i]
        counts = np.multiply.outer(counts, np.sum((taps >= -low) & (taps < size + high), axis=1))
    return np.maximum(counts, 1)


def LpPool(
    x: Array,
    *,
    kernel_shape: Ints,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Ints = (),
    p: float = 2,
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """(Σ |x|ᵖ)^(1/p) over each window."""
    placed = _windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    return _root(_summed(jnp.abs(widened(x)) ** p, placed), p).astype(x.dtype)


def GlobalLpPool(x: Array, *, p: float = 2) -> Array:
    """(Σ |x|ᵖ)^(1/p) over all spatial axes, which stay with size 1."""
    return _root(jnp.sum(jnp.abs(widened(x)) ** p, _spatial(x), keepdims=True), p).astype(x.dtype)


def GlobalAveragePool(x: Array) -> Array:
    """The mean over all spatial axes, which stay with size 1."""
    return jnp.mean(widened(x), _spatial(x), keepdims=True).astype(x.dtype)


def GlobalMaxPool(x: Array) -> Array:
    """The maximum over all spatial axes, which stay with size 1."""
    return jnp.max(x, _spatial(x), keepdims=True)


def MaxUnpool(
    x: Array,
    indices: Array,
    output_shape: Known | None = None,
    *,
    kernel_shape: Ints,
    pads: Ints = (),
    strides: Ints = (),
) -> Array:
    """Each element at its place in the flat output of a shape that follows from the windows, zeros elsewhere.

    With `output_shape` zeros are put behind that, up to this shape.
    """
    axes = len(kernel_shape)
    strides, pads = tuple(strides) or (1,) * axes, tuple(pads) or (0,) * (2 * axes)
    if x.ndim != axes + 2 or len(strides) != axes or len(pads) != 2 * axes:
        raise FormatError(f"kernel {kernel_shape}, strides {strides} and pads {pads} are not for an input of shape {x.shape}")
    spatial = [(size - 1) * strides[i] + kernel_shape[i] - pads[i] - pads[axes + i] for i, size in enumerate(x.shape[2:])]
    shape = check_output_size((*x.shape[:2], *spatial))
    flat = jnp.zeros(math.prod(shape), x.dtype).at[indices.reshape(-1)].set(x.reshape(-1), mode="drop")
    y = flat.reshape(shape)
    if output_shape is None:
        return y
    wanted = check_output_size(output_shape.tolist())
    if len(wanted) != y.ndim:
        raise FormatError(f"MaxUnpool of shape {x.shape} cannot give an output of shape {wanted}")
    return lax.pad(y, jnp.zeros((), y.dtype), [(0, to - size, 0) for to, size in zip(wanted, shape, strict=True)])


def _windows(x: Array, kernel_shape: Ints, *attributes: Any) -> Windows:
    if x.ndim < 3 or len(kernel_shape) != x.ndim - 2:
        raise ShapeError(f"a window of {tuple(kernel_shape)} does not fit an input of shape {tuple(x.shape)}")
    check_count(max(kernel_shape), MAX_TAPS, "taps along an axis of a window", "kernel_shape")
    return windows(x.shape[2:], kernel_shape, *attributes)


def _spatial(x: Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _padded(x: Array, placed: Windows, value: float) -> Array:
    amounts = [(0, 0, 0), (0, 0, 0), *((low, high, 0) for low, high in placed.edges)]
    return lax.pad(jnp.asarray(x), jnp.asarray(value, x.dtype), amounts)


def _last_first(placed: Windows) -> range:
    """The spatial axes, the last first: so the first of equals along each is the first in row order."""
    return range(len(placed.taps) - 1, -1, -1)


def _slices(x: Array, placed: Windows, axis: int) -> list[Array]:
    """For each tap along a spatial axis, what it meets."""
    return shifted(x, axis + 2, placed.taps[axis], placed.strides[axis], placed.dilations[axis])


def _folded(x: Array, placed: Windows, outside: float, combine: Callable[[Array, Array], Array]) -> Array:
    """Combines each window's elements, `outside` standing around the input."""
    x = _padded(x, placed, outside)
    for axis in _last_first(placed):
        x = reduce(combine, _slices(x, placed, axis))
    return x


def _summed(x: Array, placed: Windows) -> Array:
    """The sum of each window's elements. Along an axis with one window it is the sum of that, without slices."""
    x = _padded(x, placed, 0)
    for axis in _last_first(placed):
        reach = placed.reaches()[axis]
        if x.shape[2 + axis] < reach + placed.strides[axis]:
            taps = lax.slice_in_dim(x, 0, reach, placed.dilations[axis], 2 + axis)
            x = jnp.sum(taps, 2 + axis, keepdims=True)
        else:
            x = reduce(jnp.add, _slices(x, placed, axis))
    return x


def _root(total: Array, p: float) -> Array:
    """The p-th root, with a gradient of 0 at 0."""
    positive = total > 0
    return jnp.where(positive, jnp.where(positive, total, 1) ** (1 / p), jnp.zeros((), total.dtype))
