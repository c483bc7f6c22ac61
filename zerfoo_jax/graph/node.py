"""The node of a graph."""

from dataclasses import dataclass

from zerfoo_jax.core.fields import check_fields
from zerfoo_jax.core.layer import Layer

MAX_DIGITS = 9
"""Of the number of an output."""


@dataclass(frozen=True)
class Node:
    """A layer with a name, fed by graph inputs or other nodes; `split:1` is the second output of node `split`."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        check_fields(self)


def source(wire: str) -> tuple[str, int | None]:
    """The node or graph input that a wire comes from, and which of its outputs where it has several.

    >>> source("conv"), source("split:1")
    (('conv', None), ('split', 1))
    """
    name, colon, index = wire.rpartition(":")
    counts = colon and index.isdecimal() and len(index) <= MAX_DIGITS
    return (name, int(index)) if counts else (wire, None)
