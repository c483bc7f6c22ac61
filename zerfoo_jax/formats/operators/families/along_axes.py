"""What goes along one axis: the place of the largest element, running sums and products."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.formats.operators.arrays import axis_of, held, wide
from zerfoo_jax.formats.operators.known import Known


def ArgMax(data: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The index of the largest element along an axis, the first one of equals or the last."""
    return _place(jnp.argmax, data, axis, keepdims, select_last_index)


def ArgMin(data: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The index of the smallest element along an axis, the first one of equals or the last."""
    return _place(jnp.argmin, data, axis, keepdims, select_last_index)


def _place(find: Any, data: Any, axis: int, keepdims: int, select_last_index: int) -> Any:
    data, axis = jnp.asarray(data), axis_of(axis, data.ndim)
    if data.shape[axis] == 0:
        raise ShapeError(f"there is no largest or smallest element along axis {axis} of shape {data.shape}")
    found = find(jnp.flip(data, axis) if select_last_index else data, axis, keepdims=bool(keepdims)).astype(held(np.int64))
    return data.shape[axis] - 1 - found if select_last_index else found


def Hardmax(input: Any, *, axis: int = 1) -> Any:
    """1 at the first largest element, 0 elsewhere; the axes from `axis` on count as one."""
    rank = input.ndim
    axis = rank if axis == rank else axis_of(axis, rank)
    rows = jnp.asarray(input).reshape((math.prod(input.shape[:axis]), math.prod(input.shape[axis:])))
    return _hardmax(rows, 1).reshape(input.shape)


def Hardmax_13(input: Any, *, axis: int = -1) -> Any:
    """1 at the first largest element along the axis, 0 elsewhere."""
    return _hardmax(jnp.asarray(input), axis_of(axis, input.ndim))


def _hardmax(x: Any, axis: int) -> Any:
    return jax.nn.one_hot(jnp.argmax(x, axis), x.shape[axis], dtype=x.dtype, axis=axis)


def CumSum(x: Any, axis: Known, *, exclusive: int = 0, reverse: int = 0) -> Any:
    """The sum of the elements up to each one, or before it (`exclusive`), or from it on (`reverse`)."""
    return _running(jnp.cumsum, 0, x, axis, exclusive, reverse)


def CumProd(x: Any, axis: Known, *, exclusive: int = 0, reverse: int = 0) -> Any:
    """The product of the elements up to each one, or before it (`exclusive`), or from it on (`reverse`)."""
    return _running(jnp.cumprod, 1, x, axis, exclusive, reverse)


def _running(run: Any, neutral: int, x: Any, axis: np.ndarray, exclusive: int, reverse: int) -> Any:
    place = axis_of(axis.reshape(-1)[0], x.ndim)
    rows = jnp.moveaxis(wide(jnp.asarray(x)), place, 0)
    rows = jnp.flip(rows, 0) if reverse else rows
    if exclusive and len(rows):
        rows = jnp.concatenate([jnp.full_like(rows[:1], neutral), rows[:-1]])
    rows = run(rows, 0, dtype=rows.dtype)
    return jnp.moveaxis(jnp.flip(rows, 0) if reverse else rows, 0, place).astype(x.dtype)
