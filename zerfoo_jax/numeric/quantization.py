"""Affine quantisation: real numbers as small codes and a few scales (Jacob et al., arXiv 1712.05877)."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.numeric.dtypes import Dtype, cast, dtype_of


@partial(jax.tree_util.register_dataclass, data_fields=("codes", "scale", "zero_point"), meta_fields=("block",))
@dataclass(frozen=True)
class QuantizedArray:
    """x ≈ scale (codes - zero_point), or scale · codes where there is no zero point.

    `scale` and `zero_point` have the axes of `codes`: size 1 where all share one, or with `block` (axis, size) the number of
    blocks along that axis.
    """

    codes: Any
    scale: Any
    zero_point: Any = None
    block: tuple[int, int] | None = None


def quantize(
    x: Any,
    dtype: Any = "int8",
    *,
    shared: tuple[int, ...] | None = None,
    block: tuple[int, int] | None = None,
    symmetric: bool = True,
) -> QuantizedArray:
    """Codes of an array: the nearest to x / scale + zero_point, the even one of two.

    `shared` are the axes along which numbers share a scale: None is all (per tensor); in a kernel (in, out), (0,) is per output
    channel. `block` (axis, size), of an axis that they share, gives a scale to each `size` numbers; the last may be fewer.
    Symmetric, zero is code 0 (the middle code of an unsigned dtype) and scale = max|x| / the largest code; otherwise the codes
    span from the smallest to the largest number and zero, which has a code in any case. Floating codes, such as float8, are
    symmetric. Where all numbers are zero the scale is 1.

    Raises `ConfigError` for asymmetric floats and for bool, `ShapeError` where a block's axis is not a shared one.

    >>> found = quantize(np.array([[-1.0, 4.0], [0.5, 2.0]]), "int8", shared=(0,))
    >>> found.codes.tolist(), (found.scale * 127).tolist()
    ([[-127, 127], [64, 64]], [[1.0, 4.0]])
    """
    wanted = dtype_of(dtype)
    xp: Any = jnp if isinstance(x, jax.Array) else np
    axes = tuple(range(x.ndim)) if shared is None else tuple(axis % x.ndim for axis in shared)
    if block is None:
        low, high = x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True)
    else:
        block = (block[0] % x.ndim, block[1])
        low, high = _ends_of_blocks(xp, x, axes, *block)
    scale, zero_point = affine(low, high, wanted.name, symmetric=symmetric)
    codes = encode(x, spread(scale, x.shape, block), spread(zero_point, x.shape, block), wanted.name)
    return QuantizedArray(codes, scale, zero_point, block)


def dequantize(quantized: QuantizedArray) -> Any:
    """The numbers that codes stand for, in the dtype of their scale.

    >>> dequantize(QuantizedArray(np.int8([3, -1]), np.float32([0.5]))).tolist()
    [1.5, -0.5]
    """
    q = quantized
    shape = q.codes.shape
    return decode(q.codes, spread(q.scale, shape, q.block), spread(q.zero_point, shape, q.block))


def affine(low: Any, high: Any, dtype: Any, *, symmetric: bool = True) -> tuple[Any, Any]:
    """Scale and zero point (None where there is none) for numbers between two ends; zero always has a code of its own.

    >>> affine(np.float32([-1.0]), np.float32([4.1]), "uint8", symmetric=False)
    (array([0.02], dtype=float32), array([50], dtype=uint8))
    """
    wanted = dtype_of(dtype)
    if wanted.kind == "bool" or (wanted.kind == "float" and not symmetric):
        raise ConfigError(f"no {'symmetric' if symmetric else 'asymmetric'} codes in {wanted.name}", fix="use integers")
    xp: Any = jnp if isinstance(low, jax.Array) else np
    largest = xp.maximum(abs(low), abs(high))
    if not symmetric:
        low, high = xp.minimum(low, 0), xp.maximum(high, 0)
        scale = _not_zero(xp, (high - low) / low.dtype.type(2**wanted.bits - 1))
        return scale, cast(low.dtype.type(wanted.smallest) - low / scale, wanted.name)
    steps = wanted.largest if wanted.kind == "float" else 2 ** (wanted.bits - 1) - 1
    scale = _not_zero(xp, largest / largest.dtype.type(steps))
    return scale, xp.full(scale.shape, 2 ** (wanted.bits - 1), wanted.numpy) if wanted.kind == "uint" else None


def encode(x: Any, scale: Any, zero_point: Any, dtype: Any) -> Any:
    """The codes of numbers: x / scale + zero_point, rounded and kept within the dtype.

    >>> encode(np.array([0.3, -9.0]), np.array([0.1]), None, "int4").tolist()
    [3, -8]
    """
    codes = x / scale
    return cast(codes if zero_point is None else _rounded(codes) + cast(zero_point, x.dtype), dtype, saturate=True)


def decode(codes: Any, scale: Any, zero_point: Any) -> Any:
    """The numbers that codes stand for: scale (codes - zero_point).

    >>> decode(np.uint8([7, 9]), np.float32([2.0]), np.uint8([8])).tolist()
    [-2.0, 2.0]
    """
    codes = cast(codes, scale.dtype)
    return scale * (codes if zero_point is None else codes - cast(zero_point, scale.dtype))


def spread(per_block: Any, shape: tuple[int, ...], block: tuple[int, int] | None) -> Any:
    """Scales or zero points of blocks, repeated along their axis so that they broadcast with the codes.

    >>> spread(np.array([1, 2]), (3,), (0, 2)).tolist()
    [1, 1, 2]
    """
    if per_block is None or block is None:
        return per_block
    xp: Any = jnp if isinstance(per_block, jax.Array) else np
    axis, size = block
    if per_block.shape[axis] * size == shape[axis]:
        return xp.repeat(per_block, size, axis=axis)
    return xp.take(per_block, np.arange(shape[axis]) // size, axis=axis)


def pack_nibbles(codes: Any, axis: int = 0) -> Any:
    """4-bit codes two to a byte: along an axis the even ones in the low halves, the odd ones in the high halves.

    An odd number of codes is filled up with 0.

    >>> pack_nibbles(np.array([1, -1, 3]).astype("int4")).tolist()
    [241, 3]
    """
    xp: Any = jnp if isinstance(codes, jax.Array) else np
    codes = xp.moveaxis(codes, axis, 0).astype(np.int8).astype(np.uint8) & np.uint8(15)
    if len(codes) % 2:
        codes = xp.concatenate([codes, xp.zeros_like(codes[:1])])
    return xp.moveaxis(codes[::2] | codes[1::2] << np.uint8(4), 0, axis)


def unpack_nibbles(packed: Any, count: int, dtype: Any = "int4", axis: int = 0) -> Any:
    """What `pack_nibbles` packed: `count` codes along the axis, int4 or uint4.

    >>> unpack_nibbles(np.uint8([241, 3]), 3).tolist()
    [1, -1, 3]
    """
    xp: Any = jnp if isinstance(packed, jax.Array) else np
    packed = xp.moveaxis(packed, axis, 0)
    halves = xp.stack([packed & np.uint8(15), packed >> np.uint8(4)], 1).reshape(-1, *packed.shape[1:])[:count]
    if dtype_of(dtype).kind == "int":
        halves = (halves ^ np.uint8(8)).astype(np.int8) - np.int8(8)
    return xp.moveaxis(halves, 0, axis).astype(dtype_of(dtype).numpy)


def _ends_of_blocks(xp: Any, x: Any, axes: tuple[int, ...], axis: int, size: int) -> tuple[Any, Any]:
    if axis not in axes or size < 1:
        raise ShapeError(f"block {(axis, size)} is not along a shared axis {axes}", fix="share the axis that blocks cut")
    count = -(-x.shape[axis] // size)
    missing = [(0, count * size - x.shape[axis]) if i == axis else (0, 0) for i in range(x.ndim)]
    # The last block is filled up with numbers of its own: the last one again.
    x = xp.pad(x, missing, mode="edge").reshape(*x.shape[:axis], count, size, *x.shape[axis + 1 :])
    within = tuple(i + (i >= axis) for i in axes if i != axis)
    low, high = (end(axis=(*within, axis + 1), keepdims=True) for end in (x.min, x.max))
    return low.squeeze(axis + 1), high.squeeze(axis + 1)


def _not_zero(xp: Any, scale: Any) -> Any:
    return xp.where(scale > 0, scale, scale.dtype.type(1))


def _rounded(x: Any) -> Any:
    return jnp.rint(x) if isinstance(x, jax.Array) else np.rint(x)


def code_range(dtype: Dtype) -> int:
    """The largest distance of an integer code from its zero point.

    >>> code_range(dtype_of("int8")), code_range(dtype_of("uint8"))
    (128, 255)
    """
    return int(-dtype.smallest if dtype.kind == "int" else dtype.largest)
