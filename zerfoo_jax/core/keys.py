"""Random keys folded by name, so that adding a layer does not change the others' initial values."""

import zlib

import jax

from zerfoo_jax.core.types import Array


def fold_in_name(key: Array, name: str) -> Array:
    """The key that belongs to the child called `name`."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
