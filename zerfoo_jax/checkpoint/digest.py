"""SHA-256 of arrays and trees: equal exactly when paths, dtypes, shapes and every bit are.

The digest depends on neither device, sharding, memory layout nor pytree class: equal digests prove that a resumed run is
bit-identical.
"""

import hashlib
from typing import Any

import numpy as np

from zerfoo_jax.checkpoint.leaves import Leaf, by_path, view
from zerfoo_jax.core.types import Tree


def leaf_digest(leaf: Any) -> str:
    """SHA-256 (hexadecimal) over the dtype, the shape and the little-endian, C-ordered bytes of an array or PRNG key.

    >>> leaf_digest(np.zeros(3, np.float32)) == leaf_digest(np.zeros((3, 1), np.float32))
    False
    """
    held = leaf if isinstance(leaf, Leaf) else view(leaf)
    found = hashlib.sha256(f"{held.dtype}{list(held.shape)}\n".encode())
    found.update(np.ascontiguousarray(held.data).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def digest(tree: Tree) -> str:
    """SHA-256 (hexadecimal) over the path and the `leaf_digest` of every leaf, in the order of the paths.

    >>> digest({"a": np.ones(2), "b": None}) == digest({"a": np.ones(2)})
    True
    """
    return combine({path: leaf_digest(view(leaf, path)) for path, leaf in by_path(tree).items()})


def combine(leaf_digests: dict[str, str]) -> str:
    """The digest of a tree from the digests of its leaves by path."""
    found = hashlib.sha256()
    for path, one in sorted(leaf_digests.items()):
        name = path.encode()
        found.update(f"{len(name)}:".encode() + name + one.encode())  # the length keeps paths and digests apart
    return found.hexdigest()
