"""How large trees of arrays are, without looking at a number in them."""

from dataclasses import dataclass
import math

import jax

from zerfoo_jax.core.types import Tree


@dataclass(frozen=True)
class Size:
    """How many numbers there are, and how many bytes they take."""

    numbers: int = 0
    bytes: int = 0

    def __mul__(self, times: int) -> "Size":
        return Size(self.numbers * times, self.bytes * times)

    def __add__(self, other: "Size") -> "Size":
        return Size(self.numbers + other.numbers, self.bytes + other.bytes)


def size_of(tree: Tree) -> Size:
    """The size of all arrays, or specs of arrays, in a tree.

    >>> size_of({"kernel": jax.ShapeDtypeStruct((3, 4), "float32"), "bias": jax.ShapeDtypeStruct((4,), "bfloat16")})
    Size(numbers=16, bytes=56)
    """
    leaves = jax.tree.leaves(tree)
    counts = [math.prod(leaf.shape) for leaf in leaves]
    return Size(sum(counts), sum(n * leaf.dtype.itemsize for n, leaf in zip(counts, leaves, strict=True)))
