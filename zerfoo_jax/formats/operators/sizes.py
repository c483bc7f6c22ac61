"""How large the output of an operator may be: a few bytes in a file can ask for terabytes."""

from collections.abc import Iterable
import math

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.limits import MAX_RANK

MAX_OUTPUT = 2**28
"""Elements of an array that an operator makes larger than its inputs, such as Expand or ConstantOfShape."""


def check_output_size(shape: Iterable[int]) -> tuple[int, ...]:
    """The shape, if an operator may make an array of it; else `FormatError`.

    >>> check_output_size((2, 3))
    (2, 3)
    """
    sizes = tuple(int(size) for size in shape)
    if len(sizes) > MAX_RANK:
        raise FormatError(f"an array of {len(sizes)} dimensions, over the limit of {MAX_RANK}")
    if any(size < 0 for size in sizes):
        raise FormatError(f"sizes are at least 0, got {brief(sizes)}")
    if math.prod(size for size in sizes if size) > MAX_OUTPUT:
        raise FormatError(f"an array of shape {brief(sizes)} is to be made, over the limit of {MAX_OUTPUT:,} elements")
    return sizes
