"""Resizing of any axes: Resize and, before it, Upsample."""

from collections.abc import Sequence
import math

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.resampling import Axis, Method, places, taps
from zerfoo_jax.formats.operators.sizes import check_output_size
from zerfoo_jax.numeric import widened

_FEW_TAPS = 4
"""Up to so many, elements are picked and added up; more are one matrix product."""


def Upsample(x: Array, *, height_scale: float, width_scale: float, mode: str = "nearest") -> Array:
    """The last two axes enlarged, see `Resize`."""
    return Resize(x, np.asarray((1, 1, height_scale, width_scale), np.float32), mode=mode)


def Upsample_7(x: Array, *, scales: Sequence[float], mode: str = "nearest") -> Array:
    """Each axis enlarged, see `Resize`."""
    return Resize(x, np.asarray(scales, np.float32), mode=mode)


def Upsample_9(x: Array, scales: Known, *, mode: str = "nearest") -> Array:
    """Each axis enlarged, see `Resize`."""
    return Resize(x, scales, mode=mode)


def Resize(x: Array, scales: Known, *, mode: str = "nearest") -> Array:
    """Each axis resized to floor(size · scale); new element i lies at i / scale.

    "nearest" takes the element below where an axis grows, and the one above where it shrinks.
    """
    mode = {"bilinear": "linear"}.get(mode, mode)
    for nearest_mode, part in (("ceil", np.minimum(scales, 1)), ("floor", np.maximum(scales, 1))):
        x = Resize_11(x, None, part, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode=nearest_mode)
    return x


def Resize_11(
    x: Array,
    roi: Known | None = None,
    scales: Known | None = None,
    sizes: Known | None = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] = (),
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Array:
    """Each of `axes`, by default all, resized to floor(size · scale) or to its new size; see `resampling` for the modes.

    With "tf_crop_and_resize" what lies outside the input is `extrapolation_value`.
    """
    order = [axis % x.ndim for axis in axes] or list(range(x.ndim))
    planned = _planned(x.shape, order, roi, scales, sizes, keep_aspect_ratio_policy)
    shape = list(x.shape)
    for i, axis in planned.items():
        shape[i] = axis.new_size
    check_output_size(shape)
    if 0 in shape:
        return jnp.zeros(shape, x.dtype)
    if 0 in x.shape:
        raise ShapeError(f"an input of shape {tuple(x.shape)} cannot be resized to {tuple(shape)}")
    crops = coordinate_transformation_mode == "tf_crop_and_resize"
    method = Method(mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias))
    y, outside = (jnp.asarray(x) if mode == "nearest" else widened(jnp.asarray(x))), np.zeros((1,) * x.ndim, np.bool_)
    for i, axis in planned.items():
        if axis.scale == 1 and axis.new_size == axis.size and not crops:
            continue
        if crops:
            at = places(axis, coordinate_transformation_mode)
            beyond = (at < 0) | (at > axis.size - 1)
            outside = outside | beyond.reshape([-1 if n == i else 1 for n in range(x.ndim)])
        y = _resized(y, i, *taps(axis, method))
    y = _as(y, x.dtype)
    return jnp.where(outside, jnp.asarray(extrapolation_value, y.dtype), y) if outside.any() else y


def _planned(
    shape: Sequence[int], order: list[int], roi: Known | None, scales: Known | None, sizes: Known | None, policy: str
) -> dict[int, Axis]:
    """How each axis that changes is resized."""
    given = scales if scales is not None and scales.size else sizes
    if given is None or given.shape != (len(order),) or len(set(order)) != len(order):
        raise FormatError(f"Resize of axes {order} needs one scale or one size for each")
    if given is scales:
        numbers = [float(scale) for scale in given]
        if not all(0 < scale < math.inf for scale in numbers):
            raise FormatError(f"scales are above 0, got {numbers}")
        # In float32, as the specification infers shapes: 5 · 1.4 is 7 and not a little less.
        lengths = [float(np.float32(shape[i]) * np.float32(scale)) for i, scale in zip(order, numbers, strict=True)]
        new = [int(length) for length in lengths]
    else:
        new = [int(size) for size in given]
        lengths = [float(size) for size in check_output_size(new)]
        numbers = [size / max(shape[i], 1) for i, size in zip(order, new, strict=True)]
        if policy in ("not_larger", "not_smaller"):
            scale = min(numbers) if policy == "not_larger" else max(numbers)
            numbers, lengths = [scale] * len(order), [scale * shape[i] for i in order]
            new = [int(length + 0.5) for length in lengths]
        elif policy != "stretch":
            raise FormatError(f"there is no keep_aspect_ratio_policy {policy!r}")
    count = len(order)
    part = np.asarray([0.0] * count + [1.0] * count) if roi is None or roi.size != 2 * count else roi.astype(np.float64)
    return {
        i: Axis(shape[i], new[n], numbers[n], lengths[n], float(part[n]), float(part[count + n])) for n, i in enumerate(order)
    }


def _resized(x: Array, axis: int, indices: np.ndarray, weights: np.ndarray) -> Array:
    """An axis whose elements are sums of old ones."""
    if indices.shape[1] == 1:
        return jnp.take(x, indices[:, 0], axis=axis)
    if indices.shape[1] > _FEW_TAPS:
        matrix = np.zeros((x.shape[axis], indices.shape[0]))
        np.add.at(matrix, (indices, np.arange(indices.shape[0])[:, None]), weights)
        return jnp.moveaxis(jnp.tensordot(x, jnp.asarray(matrix, x.dtype), ((axis,), (0,))), -1, axis)
    along = [-1 if n == axis else 1 for n in range(x.ndim)]
    parts = (
        jnp.take(x, indices[:, t], axis=axis) * jnp.asarray(weights[:, t].reshape(along), x.dtype)
        for t in range(indices.shape[1])
    )
    return sum(parts, start=jnp.zeros((), x.dtype))


def _as(y: Array, dtype: np.dtype) -> Array:
    """The array in its input's dtype, integers within their range."""
    if jnp.issubdtype(dtype, jnp.integer) and y.dtype != dtype:
        y = jnp.clip(y, jnp.iinfo(dtype).min, jnp.iinfo(dtype).max)
    return y.astype(dtype)
