"""Elements by their indices, which count from the end where negative; the other way round, elements put where indices say."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.arrays import axis_of, is_text, namespace


def Gather(data: Any, indices: Any, *, axis: int = 0) -> Any:
    """The slices of `data` along an axis that the indices name; the axes of `indices` take the place of that axis."""
    axis = axis_of(axis, data.ndim)
    if all(isinstance(x, np.ndarray) for x in (data, indices)):
        return np.take(data, indices, axis, mode="raise")
    indices = jnp.asarray(indices)
    return jnp.take(jnp.asarray(data), jnp.where(indices < 0, indices + data.shape[axis], indices), axis, mode="clip")


def GatherElements(data: Any, indices: Any, *, axis: int = 0) -> Any:
    """output[i, j, k] = data[i, indices[i, j, k], k] for axis 1; as long as the indices."""
    return namespace(data).asarray(data)[_places(data, indices, axis)]


def GatherND(data: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    """The slices data[batch, indices[batch, ..., :]]; the last axis of `indices` holds one index for each axis of data."""
    return namespace(data).asarray(data)[_tuples(data, indices, batch_dims)]


def Scatter(data: Any, indices: Any, updates: Any, *, axis: int = 0) -> Any:
    """data[i, indices[i, j, k], k] = updates[i, j, k] for axis 1."""
    return _put(data, _places(data, indices, axis), updates, "none")


def ScatterElements(data: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    """data[i, indices[i, j, k], k] = updates[i, j, k] for axis 1; or their sum, product (mul), maximum or minimum."""
    return _put(data, _places(data, indices, axis), updates, reduction)


def ScatterND(data: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    """data[indices[..., :]] = updates[...], where the last axis of `indices` holds one index for each axis of data."""
    return _put(data, _tuples(data, indices, 0), updates, reduction)


def TensorScatter(
    past_cache: Any, update: Any, write_indices: Any | None = None, *, axis: int = -2, mode: str = "linear"
) -> Any:
    """A cache with each example's update written from its index on; `circular` goes on at the start behind the end."""
    axis = axis_of(axis, past_cache.ndim)
    if axis == 0 or mode not in ("linear", "circular"):
        raise FormatError(f"TensorScatter writes along an axis other than 0, linear or circular; got axis {axis}, {mode!r}")
    cache, update = (jnp.moveaxis(jnp.asarray(x), axis, 1) for x in (past_cache, update))
    starts = jnp.zeros(cache.shape[0], jnp.int32) if write_indices is None else jnp.asarray(write_indices)
    places = starts[:, None] + jnp.arange(update.shape[1], dtype=starts.dtype)[None]
    places = places % cache.shape[1] if mode == "circular" else places
    written = cache.at[jnp.arange(cache.shape[0])[:, None], places].set(update)
    return jnp.moveaxis(written, 1, axis)


def _places(data: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """For each axis of data an index at each place of `indices`: its own, or on `axis` the one that is written there."""
    if indices.ndim != data.ndim:
        raise ShapeError(f"indices of shape {indices.shape} for an array of shape {data.shape}: the numbers of axes differ")
    axis = axis_of(axis, data.ndim)
    grid = np.ogrid[tuple(slice(size) for size in indices.shape)]
    own = jnp.asarray(indices)
    return tuple(own if i == axis else jnp.asarray(line, own.dtype) for i, line in enumerate(grid))


def _tuples(data: Any, indices: Any, batch_dims: int) -> tuple[Any, ...]:
    """For each axis of data that is indexed the indices along it: first those of the batch, then the ones that are given."""
    depth = indices.shape[-1] if indices.ndim else 0
    if not depth or batch_dims + depth > data.ndim or data.shape[:batch_dims] != indices.shape[:batch_dims]:
        raise ShapeError(f"indices of shape {indices.shape} for an array of shape {data.shape} with {batch_dims} batch axes")
    places = indices.shape[:-1]
    batch = np.ogrid[tuple(slice(size) for size in places)][:batch_dims] if batch_dims else []
    given = [jnp.asarray(indices[..., i]) for i in range(depth)]
    return (*(jnp.asarray(line) for line in batch), *given)


def _put(data: Any, places: tuple[Any, ...], updates: Any, reduction: str) -> Any:
    if is_text(data):
        data = data.copy()
        data[tuple(np.asarray(place) for place in places)] = updates
        return data
    at = jnp.asarray(data).at[places]
    actions = {"none": at.set, "add": at.add, "mul": at.multiply, "max": at.max, "min": at.min}
    if reduction not in actions:
        raise FormatError(f"elements are put by {', '.join(actions)}, not by {reduction!r}")
    return actions[reduction](jnp.asarray(updates))
