"""What the values themselves choose: the largest, the different ones, those that are not zero."""

from typing import Any

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.formats.operators.arrays import axis_of, held
from zerfoo_jax.formats.operators.known import Known


def TopK(X: Any, *, k: int, axis: int = -1) -> Any:
    """The k largest along an axis in descending order, and their indices."""
    return _top(X, k, axis, largest=True)


def TopK_10(X: Any, K: Known, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """The K largest along an axis in descending order, or the smallest in ascending order, and their indices.

    Of equal values the one with the lower index comes first. They are in order also where `sorted` does not ask for it.
    """
    return _top(X, int(K.reshape(-1)[0]), axis, largest=bool(largest))


def _top(x: Any, k: int, axis: int, *, largest: bool) -> tuple[Any, Any]:
    axis = axis_of(axis, x.ndim)
    if not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"TopK of {k} among {x.shape[axis]}")
    rows = jnp.moveaxis(jnp.asarray(x), axis, -1)
    if largest:
        values, indices = lax.top_k(rows, k)
    else:
        indices = jnp.argsort(rows, stable=True)[..., :k]
        values = jnp.take_along_axis(rows, indices, -1)
    return jnp.moveaxis(values, -1, axis), jnp.moveaxis(indices.astype(held(np.int64)), -1, axis)


def NonZero(X: Known) -> Any:
    """The indices of the elements other than 0, one row for each axis."""
    return np.array(np.nonzero(np.atleast_1d(X)), np.int64)


def Compress(input: Any, condition: Known, *, axis: int | None = None) -> Any:
    """The slices along an axis, or the elements one by one, where the condition holds."""
    rows = input.reshape(-1) if axis is None else input
    axis = 0 if axis is None else axis_of(axis, rows.ndim)
    chosen = np.flatnonzero(condition.reshape(-1)[: rows.shape[axis]])
    return rows[(slice(None),) * axis + (chosen,)]


def Unique(X: Known, *, axis: int | None = None, sorted: int = 1) -> Any:
    """The different elements, or slices along an axis, in ascending order or that of their first occurrence.

    Further outputs: the index of each one's first occurrence, for each element of X its place among them, how often it occurs.
    """
    axis = None if axis is None else axis_of(axis, X.ndim)
    values, first, places, counts = np.unique(X, True, True, True, axis=axis)
    places = places.reshape(-1)
    if not sorted:
        order = np.argsort(first)
        first, counts = first[order], counts[order]
        values = np.take(values, order, 0 if axis is None else axis)
        places = np.argsort(order)[places]
    return values, first.astype(np.int64), places.astype(np.int64), counts.astype(np.int64)
