"""Products of matrices and convolutions of quantised numbers, with sums in int32."""

from collections.abc import Callable, Sequence
from functools import partial
import math
from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.formats.operators.arrays import expand_like, is_floating, same_rank
from zerfoo_jax.formats.operators.families.convolutions import Conv
from zerfoo_jax.formats.operators.families.quantization import moved, narrowed
from zerfoo_jax.formats.operators.known import Buffer
from zerfoo_jax.layers.quantized.products import integer_product

Ints = Sequence[int]

EXACT = 2**24
"""Whole numbers up to here are exact in float32."""


def MatMulInteger(A: Any, B: Any, a_zero_point: Buffer | None = None, b_zero_point: Buffer | None = None) -> Any:
    """(A - zero point) (B - zero point) in int32; vectors of zero points are for the rows of A and the columns of B."""
    flat = A.ndim == 2 or a_zero_point is None or a_zero_point.size == 1
    if A.ndim < 2 or B.ndim != 2 or not flat or is_floating(A):
        return jnp.matmul(_shifted(A, _by_row(a_zero_point)), _shifted(B, b_zero_point))
    rows = A.reshape((math.prod(A.shape[:-1]), A.shape[-1]))
    (a, a_zero), (b, b_zero) = _signed(rows, _by_row(a_zero_point)), _signed(B, b_zero_point)
    return integer_product(a, b, a_zero, b_zero).reshape((*A.shape[:-1], B.shape[1]))


def _signed(codes: Any, zero_point: Any | None) -> tuple[Any, Any | None]:
    """uint8 codes and their zero point as int8, both 128 lower; int8 as it is. The zero point is a row or a column."""
    codes = jnp.asarray(codes)
    if zero_point is None:
        zero = jnp.zeros((1, 1), codes.dtype) if codes.dtype == jnp.uint8 else None
    else:
        zero = same_rank(codes, zero_point)[1]
    if codes.dtype == jnp.uint8:
        codes, zero = (lax.bitcast_convert_type(x ^ jnp.uint8(128), jnp.int8) for x in (codes, zero))
    return codes, zero


def QLinearMatMul(
    a: Any,
    a_scale: Buffer,
    a_zero_point: Buffer,
    b: Any,
    b_scale: Buffer,
    b_zero_point: Buffer,
    y_scale: Buffer,
    y_zero_point: Buffer,
) -> Any:
    """The quantised product of quantised matrices; vectors of scales are for the rows of a and y and the columns of b."""
    product = MatMulInteger(a, b, a_zero_point, b_zero_point).astype(jnp.float32)
    scales = [jnp.asarray(x).astype(jnp.float32) for x in (_by_row(a_scale), b_scale, _by_row(y_scale))]
    product, a_scale, b_scale, y_scale, zero = same_rank(product, *scales, _by_row(y_zero_point))
    return narrowed(product * (a_scale * b_scale / y_scale), zero, y_zero_point.dtype)


def ConvInteger(
    x: Any,
    w: Any,
    x_zero_point: Buffer | None = None,
    w_zero_point: Buffer | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Any:
    """The convolution of (x - zero point) with (w - zero point) in int32; margins hold the zero point of x."""
    convolve = partial(
        Conv,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    return _in_parts(convolve, _shifted(x, x_zero_point), _shifted(w, _along(w_zero_point, 0, w.ndim)), group)


def _in_parts(convolve: Callable[[Any, Any], Any], x: Any, w: Any, group: int) -> Any:
    """The convolution of whole numbers of up to 255 in magnitude, exact and in the form that back ends run fast.

    Sums below 2²⁴ are exact in float32: so many channels are convolved at a time, and the parts are added in int32.
    """
    channels = w.shape[1]
    at_once = EXACT // (255**2 * max(math.prod(w.shape[2:]), 1))
    if at_once == 0 or group < 1 or x.shape[1] != group * channels:
        return convolve(x, w)
    grouped = x.reshape((x.shape[0], group, channels, *x.shape[2:]))
    total = None
    for start in range(0, channels, at_once):
        own = grouped[:, :, start : start + at_once]
        own = own.reshape((x.shape[0], group * own.shape[2], *x.shape[2:]))
        part = convolve(own.astype(jnp.float32), w[:, start : start + at_once].astype(jnp.float32))
        part = jnp.rint(part).astype(jnp.int32)
        total = part if total is None else total + part
    return convolve(x, w) if total is None else total


def QLinearConv(
    x: Any,
    x_scale: Buffer,
    x_zero_point: Buffer,
    w: Any,
    w_scale: Buffer,
    w_zero_point: Buffer,
    y_scale: Buffer,
    y_zero_point: Buffer,
    B: Buffer | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Ints = (),
    group: int = 1,
    kernel_shape: Ints = (),
    pads: Ints = (),
    strides: Ints = (),
) -> Any:
    """The quantised convolution of quantised numbers; the bias is int32, in units of both scales' product.

    Vectors of w's scales and zero points are for its features.
    """
    sums = ConvInteger(
        x,
        w,
        x_zero_point,
        w_zero_point,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    if B is not None:
        sums = sums + _along(B, 1, sums.ndim)
    scale = jnp.asarray(x_scale) * _along(w_scale, 1, sums.ndim) / jnp.asarray(y_scale)
    return narrowed(sums.astype(jnp.float32) * scale, jnp.asarray(y_zero_point), y_zero_point.dtype)


def _shifted(x: Any, zero_point: Any | None) -> Any:
    x = jnp.asarray(x)
    return moved(x, None) if zero_point is None else moved(*same_rank(x, zero_point))


def _by_row(values: Any | None) -> Any:
    """A vector with one entry for each row of a matrix as a column; all else as it is."""
    return values if values is None or values.ndim != 1 or values.size == 1 else values[:, None]


def _along(values: Any | None, axis: int, rank: int) -> Any:
    """A scalar as it is, a vector laid along an axis."""
    if values is None or values.size == 1:
        return None if values is None else jnp.asarray(values).reshape(())
    return expand_like(jnp.asarray(values), axis, rank)
