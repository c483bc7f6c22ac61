"""Numbers as narrow ones times a scale: to the narrow ones, and back. x ≈ (y - zero point) · scale.

Scale and zero point are scalars, vectors along one axis, or arrays with one entry for each block of `block_size` along it.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.arrays import axis_of, expand_like, is_floating, wide
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.known import Buffer
from zerfoo_jax.numeric.dtypes import cast


def QuantizeLinear(
    x: Any,
    y_scale: Buffer,
    y_zero_point: Buffer | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Any:
    """round(x / scale) + zero point, ties to even, within the range of the dtype.

    The dtype is that of the zero point, else `output_dtype`, else uint8. The division is in the dtype `precision`, else in that
    of the scale. Without `saturate` what lies beyond a float of 8 bits becomes NaN or infinite.
    """
    dtype = y_zero_point.dtype if y_zero_point is not None else dtype_of(output_dtype or 2)
    if output_dtype and dtype_of(output_dtype) != dtype:
        raise FormatError(f"QuantizeLinear to {dtype_of(output_dtype).name} with a zero point of {dtype.name}")
    x, scale = jnp.asarray(x), _spread(y_scale, x.shape, axis, block_size)
    fine = dtype_of(precision) if precision else scale.dtype
    if jnp.finfo(fine).bits < 16:
        fine = jnp.float32
    ratio = wide(_quotient(x.astype(fine), scale.astype(fine)))
    zero = None if y_zero_point is None else _spread(y_zero_point, x.shape, axis, block_size)
    return narrowed(ratio, zero, dtype, bool(saturate))


def _quotient(x: Any, scale: Any) -> Any:
    """x / scale, rounded once. XLA multiplies by 1 / scale where it sees one divisor for many numbers, which moves ties."""
    return x / jnp.where(jnp.isnan(x), x, scale)


def narrowed(x: Any, zero_point: Any | None, dtype: np.dtype[Any], saturate: bool = True) -> Any:
    """Floats rounded and moved by the zero point, in a narrow dtype and within its range."""
    if jnp.issubdtype(dtype, jnp.floating):
        return cast(jnp.asarray(x), dtype, saturate=saturate)
    rounded = jnp.rint(x)
    moved = rounded if zero_point is None else rounded + zero_point.astype(rounded.dtype)
    return cast(moved, dtype)


def DequantizeLinear(
    x: Any,
    x_scale: Buffer,
    x_zero_point: Buffer | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> Any:
    """(x - zero point) · scale, in the dtype of the scale or in `output_dtype`."""
    x, scale = jnp.asarray(x), _spread(x_scale, x.shape, axis, block_size)
    zero = None if x_zero_point is None or is_floating(x) else _spread(x_zero_point, x.shape, axis, block_size)
    value = moved(x, zero).astype(jnp.float32) * scale.astype(jnp.float32)
    return value.astype(dtype_of(output_dtype) if output_dtype else x_scale.dtype)


def moved(x: Any, zero_point: Any | None) -> Any:
    """Integers less their zero point, in int32; floats in float32."""
    if is_floating(x):
        return x.astype(jnp.float32)
    x = x.astype(jnp.int32)
    return x if zero_point is None else x - zero_point.astype(jnp.int32)


def _spread(values: Any, shape: tuple[int, ...], axis: int, block_size: int) -> Any:
    """Scales or zero points so that they broadcast over an array of a shape."""
    values = jnp.asarray(values)
    if values.size == 1:
        return values.reshape((1,) * len(shape))
    axis = axis_of(axis, len(shape))
    if not block_size:
        if values.shape != (shape[axis],):
            raise ShapeError(f"a scale or zero point of shape {values.shape} along axis {axis} of shape {shape}")
        return expand_like(values, axis, len(shape))
    blocks = -(-shape[axis] // block_size)
    if block_size < 0 or values.shape != (*shape[:axis], blocks, *shape[axis + 1 :]):
        raise ShapeError(f"a scale or zero point of shape {values.shape} for blocks of {block_size} in shape {shape}")
    places = np.arange(shape[axis]) // block_size
    return jnp.take(values, places, axis, mode="clip")


def DynamicQuantizeLinear(x: Any) -> tuple[Any, Any, Any]:
    """x as uint8 by its own range widened to hold 0, the scale, and the zero point."""
    x = jnp.asarray(x)
    low, high = jnp.min(x, initial=0), jnp.max(x, initial=0)
    scale = jnp.where(high == low, jnp.ones((), x.dtype), (high - low) / 255)
    zero = jnp.rint(jnp.clip(-low / scale, 0, 255))
    return cast(jnp.rint(_quotient(x, scale)) + zero, np.uint8), scale, cast(zero, np.uint8)
