"""The shapes of what flows between LOOM's layers, which only know how many numbers there are and read them in their own order.

A shape is that of one example, without the batch: (features,), (length, features), (channels, height, width), or None where
nothing says how many numbers arrive.
"""

from collections.abc import Iterable, Sequence
import math

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.parts import Part
from zerfoo_jax.layers import Flatten, Reshape

Shape = tuple[int, ...] | None
Built = tuple[list[Part], Shape]
"""Parts, and the shape of what they give."""


def in_rows(shape: Shape, width: int, place: str) -> tuple[list[Part], tuple[int, ...]]:
    """What makes the last axis `width` numbers: a layer on so many numbers works on every such row of what arrives."""
    if shape is None or shape[-1] == width:
        return [], shape or (width,)
    size = math.prod(shape)
    if size % width:
        raise FormatError(f"the layer takes {width} numbers, and {size} arrive, of shape {shape}", place=place)
    return reshaped(shape, (width,) if size == width else (size // width, width))


def exactly(shape: Shape, wanted: tuple[int, ...], place: str) -> list[Part]:
    """What gives so many numbers this shape."""
    if shape is not None and math.prod(shape) != math.prod(wanted):
        raise FormatError(f"the layer takes {math.prod(wanted)} numbers, {wanted}, and {shape} arrive", place=place)
    return reshaped(shape, wanted)[0]


def reshaped(shape: Shape, wanted: tuple[int, ...]) -> tuple[list[Part], tuple[int, ...]]:
    """The layer that gives what has the one shape the other, if any is needed."""
    if shape == wanted:
        return [], wanted
    return [Part(Flatten() if len(wanted) == 1 else Reshape(wanted))], wanted


def flat(shape: Shape) -> Built:
    """What makes one row of all numbers."""
    return ([], shape) if shape is None else reshaped(shape, (math.prod(shape),))


def first_taken(layers: Iterable[tuple[Shape, bool]]) -> Shape:
    """What layers in a row take, from what each takes and whether it keeps the shape: the largest of those up to the first
    that does not keep it.

    >>> first_taken([((8,), True), ((4, 8), True), ((8,), False), ((64,), False)])
    (4, 8)
    """
    found: Shape = None
    for shape, keeps in layers:
        if shape is not None and (found is None or math.prod(shape) > math.prod(found)):
            found = shape
        if not keeps and found is not None:
            break
    return found


def start(shape: tuple[int, ...]) -> list[Part]:
    """What takes a network's input, flat or in its shape, whose first axis may be longer or shorter than in the file."""
    return [Part(Reshape((-1, *shape[1:])))] if len(shape) > 1 else []


def windows(sizes: Sequence[int], kernel: int, stride: int, padding: int, place: str) -> tuple[int, ...]:
    """How many windows fit along each axis."""
    found = tuple((size + 2 * padding - kernel) // stride + 1 for size in sizes)
    if any(count < 1 for count in found):
        raise FormatError(f"a kernel of size {kernel} does not fit into {tuple(sizes)} with padding {padding}", place=place)
    return found
