"""Matrix products with codes, each in the form that its back end runs fast.

XLA's CPU back end multiplies few rows with int8, float16 or bfloat16 matrices 5 to 15 times slower than with float32 ones, and
writes a decoded matrix out to memory before it uses it. There, a product runs over blocks of the matrix that fit into the
cache: a block is decoded to float32, multiplied, and forgotten. Sums of products of whole numbers stay whole numbers below
2²⁴ within a block, which float32 holds exactly, and blocks are added up in int32: the result is that of integer arithmetic.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.forms import are_for_cpu
from zerfoo_jax.core.types import Array

EXACT_BLOCK = 256
"""Rows of a block of whole numbers: 256 products of two of up to 255 in magnitude are below 2²⁴."""

_NUMBERS, _FEWEST_ROWS, _MOST_ROWS = 2**20, 64, 512
"""What a block holds: fewer rows cost more turns, more numbers leave the cache."""

_MANY_ROWS = 32
"""Rows from which XLA's CPU back end multiplies int8 matrices faster than float32 ones."""

Pieces = tuple[tuple[Array | None, int], ...]
"""Arrays that describe a matrix, each with how many of the matrix's rows one of its rows stands for; 0 is all of them."""


def in_blocks(x: Array, pieces: Pieces, decode: Callable[..., Array], rows: int, total: Any) -> Array:
    """Σ over blocks of x[:, block] decode(*pieces[block]), each product cast to the dtype `total`: (n, in) -> (n, out).

    >>> codes = jnp.ones((5, 3), jnp.int8)
    >>> in_blocks(jnp.ones((2, 5)), ((codes, 1),), lambda c: c.astype("float32"), 2, "int32").tolist()
    [[5, 5, 5], [5, 5, 5]]
    """
    count, rest = divmod(x.shape[1], rows)

    def part(x: Array, *arrays: Array | None) -> Array:
        return jnp.matmul(x, decode(*arrays)).astype(total)

    if count == 0 or (count == 1 and not rest):
        return part(x, *(array for array, _ in pieces))
    steps = [rows // per if per else 0 for _, per in pieces]
    stacked = [
        array[: count * step].reshape(count, step, *array.shape[1:]) if array is not None and step else None
        for (array, _), step in zip(pieces, steps, strict=True)
    ]

    def add(y: Array, block: tuple[Array, list[Array | None]]) -> tuple[Array, None]:
        own = [whole if cut is None else cut for (whole, _), cut in zip(pieces, block[1], strict=True)]
        return y + part(block[0], *own), None

    first = jnp.moveaxis(x[:, : count * rows].reshape(x.shape[0], count, rows), 1, 0)
    out = jax.eval_shape(part, x, *(array for array, _ in pieces)).shape
    y = lax.scan(add, jnp.zeros(out, total), (first, stacked))[0]
    if rest:
        cut = [count * step for step in steps]
        ends = (array[start:] if array is not None and start else array for (array, _), start in zip(pieces, cut, strict=True))
        y = y + part(x[:, count * rows :], *ends)
    return y


def rows_of_a_block(columns: int) -> int:
    """How many rows of a matrix with so many columns are decoded at once.

    >>> rows_of_a_block(4096)
    256
    """
    return max(_FEWEST_ROWS, min(_MOST_ROWS, _NUMBERS // columns))


def integer_product(x: Array, kernel: Array, x_zero: Array | None = None, kernel_zero: Array | None = None) -> Array:
    """Σ (x - x_zero) (kernel - kernel_zero) in int32, of two matrices of int8 codes or of uint8 codes.

    Zero points are a column (n, 1) for x and a row (1, out) for the kernel.

    >>> integer_product(jnp.int8([[127, -3]]), jnp.int8([[-128], [2]])).tolist()
    [[-16262]]
    """
    few = isinstance(x.shape[0], int) and x.shape[0] < _MANY_ROWS  # of a batch of any size, it is not known
    if are_for_cpu() and few:
        pieces = ((kernel, 1), (kernel_zero, 0))
        return in_blocks(less(x, x_zero), pieces, less, EXACT_BLOCK, jnp.int32)
    if x.dtype == jnp.uint8:
        x, kernel = _signed(x), _signed(kernel)
        x_zero, kernel_zero = (None if zero is None else _signed(zero) for zero in (x_zero, kernel_zero))
    y = lax.dot_general(x, kernel, (((1,), (0,)), ((), ())), preferred_element_type=jnp.int32)
    x_zero, kernel_zero = (None if zero is None else zero.astype(jnp.int32) for zero in (x_zero, kernel_zero))
    if x_zero is not None:
        y = y - x_zero * jnp.sum(kernel, axis=0, keepdims=True, dtype=jnp.int32)
    if kernel_zero is not None:
        y = y - kernel_zero * jnp.sum(x, axis=1, keepdims=True, dtype=jnp.int32)
    if x_zero is not None and kernel_zero is not None:
        y = y + x.shape[1] * x_zero * kernel_zero
    return y


def less(codes: Array, zero_point: Array | None) -> Array:
    """The codes in float32, less their zero point.

    >>> less(jnp.uint8([3]), jnp.uint8([5])).tolist()
    [-2.0]
    """
    codes = codes.astype(jnp.float32)
    return codes if zero_point is None else codes - zero_point.astype(jnp.float32)


def _signed(codes: Array) -> Array:
    """uint8 as int8, 128 lower."""
    return (codes.astype(jnp.int32) - 128).astype(jnp.int8)


def low_nibbles(packed: Array) -> Array:
    """The signed codes in the low halves of bytes, as int8.

    >>> low_nibbles(jnp.uint8([0xF1, 0x0F])).tolist()
    [1, -1]
    """
    return lax.bitcast_convert_type(packed << np.uint8(4), jnp.int8) >> np.int8(4)


def high_nibbles(packed: Array) -> Array:
    """The signed codes in the high halves of bytes, as int8.

    >>> high_nibbles(jnp.uint8([0xF1, 0x0F])).tolist()
    [-1, 0]
    """
    return lax.bitcast_convert_type(packed, jnp.int8) >> np.int8(4)
