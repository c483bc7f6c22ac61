"""How much a file may hold. A file is refused before anything is allocated for what it claims."""

from collections.abc import Iterable
import math

from zerfoo_jax.core.errors import FormatError, brief

MAX_HEADER = 16 * 2**20
"""Bytes of a header, or of a text file that describes a model without its weights."""
MAX_TENSORS = 100_000
MAX_NODES = 100_000
MAX_RANK = 32
MAX_NAME = 1024
"""Bytes of a name, as UTF-8."""
MAX_DEPTH = 32
"""Of graphs within graphs, and layers within layers."""
MAX_ATTRIBUTES = 64 * 2**20
"""Bytes of all attributes of a graph that are no weights."""
MAX_ELEMENTS = 2**40
"""Of one array: what a machine might hold, and far from where sizes overflow."""


def check_count(count: int, limit: int, what: str, place: str) -> None:
    """Raises `FormatError` where there are more of something than the limit."""
    if count > limit:
        raise FormatError(f"{count:,} {what}, over the limit of {limit:,}", place=place)


def check_name(name: object, place: str) -> str:
    """The name, if it is one that may stand in messages and in paths of parameters; else `FormatError`."""
    if not isinstance(name, str) or not name:
        raise FormatError(f"a name is a text that is not empty, got {brief(name)}", place=place)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise FormatError(f"the name {brief(name)} is no Unicode text", place=place) from None
    if size > MAX_NAME:
        raise FormatError(f"a name of {size:,} bytes, over the limit of {MAX_NAME:,}", place=place)
    if not name.isprintable() or ".." in name.split("/"):
        raise FormatError(f"the name {brief(name)} holds control or direction characters, or '..'", place=place)
    return name


def check_shape(shape: Iterable[object], place: str) -> tuple[int, ...]:
    """The shape, if an array may have it; else `FormatError`."""
    sizes = tuple(shape)
    check_count(len(sizes), MAX_RANK, "dimensions", place)
    found: list[int] = []
    for size in sizes:
        if type(size) is not int or size < 0:
            raise FormatError(f"sizes are integers of at least 0, got {brief(sizes)}", place=place)
        found.append(size)
    # A zero beside a huge size claims nothing, but what computes with it may overflow.
    if math.prod(size for size in found if size) > MAX_ELEMENTS:
        raise FormatError(f"an array of shape {brief(sizes)}, over the limit of {MAX_ELEMENTS:,} elements", place=place)
    return tuple(found)
