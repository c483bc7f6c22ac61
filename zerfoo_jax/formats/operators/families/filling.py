"""Arrays made from little: ranges, constants, one-hot vectors, triangles."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.arrays import held
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.formats.operators.sizes import check_output_size


def ConstantOfShape(input: Known, *, value: np.ndarray | None = None) -> Any:
    """One value, 0 unless said, throughout an array of the shape that the input holds."""
    single = np.zeros((), np.float32) if value is None else np.asarray(value).reshape(-1)
    if single.size != 1:
        raise FormatError(f"ConstantOfShape takes one value, got {single.size}")
    # A known value takes no more memory for being repeated.
    return np.broadcast_to(single.reshape(()), check_output_size(input.reshape(-1)))


def Range(start: Known, limit: Known, delta: Known, *, stash_type: int = 1) -> Any:
    """From `start` in steps of `delta` up to `limit`, which is not among them; half precision is computed in float32."""
    if stash_type not in (1, 11):
        raise FormatError(f"Range computes in float32 (1) or float64 (11), not {stash_type}")
    dtype = start.dtype
    work = np.int64 if dtype.kind in "iu" else np.float64
    first, last, step = (np.asarray(x).reshape(()).astype(work)[()] for x in (start, limit, delta))
    if not all(map(math.isfinite, (first, last, step))) or step == 0:
        raise ShapeError(f"Range from {first} to {last} in steps of {step}")
    count = max(-int((first - last) // step), 0)
    check_output_size((count,))
    return (first + np.arange(count) * step).astype(dtype)


def EyeLike(input: Any, *, dtype: int | None = None, k: int = 0) -> Any:
    """1 on a diagonal, 0 elsewhere, in the shape of the input; `k` counts diagonals to the right of the main one."""
    if input.ndim != 2:
        raise ShapeError(f"EyeLike takes a matrix, got shape {input.shape}")
    rows, columns = check_output_size(input.shape)
    return np.eye(rows, columns, k).astype(input.dtype if dtype is None else dtype_of(dtype))


def OneHot(indices: Any, depth: Known, values: Any, *, axis: int = -1) -> Any:
    """A new axis of size `depth`, on which the place with the index holds `values[1]` and all others `values[0]`."""
    size = int(depth.reshape(-1)[0])
    indices, values = jnp.asarray(indices), jnp.asarray(values)
    if not -indices.ndim - 1 <= axis <= indices.ndim:
        raise ShapeError(f"OneHot adds axis {axis} to an array with {indices.ndim} axes")
    axis %= indices.ndim + 1
    check_output_size((*indices.shape, size))
    indices = indices.astype(held(np.int64))
    places = jnp.expand_dims(jnp.where(indices < 0, indices + size, indices), axis)
    classes = jnp.arange(size, dtype=places.dtype).reshape(tuple(-1 if i == axis else 1 for i in range(places.ndim)))
    return jnp.where(places == classes, values[1], values[0])


def Trilu(input: Any, k: Any | None = None, *, upper: int = 1) -> Any:
    """The upper triangle of matrices, or the lower one, from diagonal `k` on; 0 elsewhere."""
    if input.ndim < 2:
        raise ShapeError(f"Trilu takes matrices, got shape {input.shape}")
    rows, columns = (np.arange(size)[:, None] if i == 0 else np.arange(size) for i, size in enumerate(input.shape[-2:]))
    diagonal = 0 if k is None else jnp.asarray(k).reshape(())
    distance = jnp.asarray(columns - rows)
    kept = distance >= diagonal if upper else distance <= diagonal
    kept = kept.reshape((1,) * (input.ndim - 2) + kept.shape)
    return jnp.where(kept, input, jnp.zeros((), input.dtype))
