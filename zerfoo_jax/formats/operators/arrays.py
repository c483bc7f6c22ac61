"""What the functions of operators share: NumPy's broadcasting, axes that count from the end, texts beside numbers."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError


def is_text(x: Any) -> bool:
    """Whether an array holds texts, which JAX knows nothing of."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "OSUT"


def namespace(*xs: Any) -> Any:
    """The module whose functions work on such arrays: NumPy for texts, `jax.numpy` for everything else."""
    return np if any(is_text(x) for x in xs) else jnp


def same_rank(*xs: Any) -> tuple[Any, ...]:
    """The arrays with axes of size 1 put in front until all have the same number, as NumPy broadcasts.

    >>> [x.shape for x in same_rank(jnp.ones(3), jnp.ones((2, 1)))]
    [(1, 3), (2, 1)]
    """
    xp = namespace(*xs)
    arrays = [xp.asarray(x) for x in xs]
    rank = max(x.ndim for x in arrays)
    return tuple(x if x.ndim == rank else x.reshape((1,) * (rank - x.ndim) + x.shape) for x in arrays)


def broadcast(*xs: Any) -> tuple[Any, ...]:
    """The arrays expanded to their common shape."""
    return tuple(namespace(*xs).broadcast_arrays(*same_rank(*xs)))


def axis_of(axis: Any, rank: int) -> int:
    """The axis counted from the front; raises `ShapeError` for one that an array of this rank does not have.

    >>> axis_of(-1, 3)
    2
    """
    axis = int(axis)
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} of an array with {rank} axes")
    return axis % rank


def axes_of(axes: Iterable[Any], rank: int) -> tuple[int, ...]:
    """The axes counted from the front, each once; raises `ShapeError` as `axis_of` does, and for an axis named twice."""
    found = tuple(axis_of(axis, rank) for axis in np.asarray(axes).reshape(-1))
    if len(set(found)) < len(found):
        raise ShapeError(f"an axis is named twice among {found}")
    return found


def expand_like(x: Any, axis: int, rank: int) -> Any:
    """A vector laid along one axis of an array of that rank, so that it broadcasts along the others."""
    return x.reshape(tuple(-1 if i == axis else 1 for i in range(rank)))


def held(dtype: Any) -> np.dtype[Any]:
    """The dtype in which JAX holds what shall be `dtype`: int32 in place of int64, unless 64 bits are enabled.

    >>> held("float16")
    dtype('float16')
    """
    dtype = np.dtype(dtype)
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype)) if dtype.kind in "iufc" else dtype


def is_floating(x: Any) -> bool:
    """Whether an array holds real floating-point numbers, narrow ones included."""
    return jnp.issubdtype(x.dtype, jnp.floating)


def is_half(x: Any) -> bool:
    """Whether an array holds floating-point numbers of less than 32 bits, whose sums need a wider dtype."""
    return is_floating(x) and jnp.finfo(x.dtype).bits < 32


def wide(x: Any) -> Any:
    """The array in float32 if it is in half precision, else as it is."""
    return x.astype(jnp.float32) if is_half(x) else x
