"""What convolution and pooling share: windows that move over the spatial axes of (batch, *spatial, channels)."""

from collections.abc import Sequence
from typing import Literal

from jax import lax

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt

Single = PositiveInt | tuple[PositiveInt]
"""One number for the one spatial axis."""
Pair = PositiveInt | tuple[PositiveInt, PositiveInt]
"""One number for both spatial axes, or (height, width)."""
Triple = PositiveInt | tuple[PositiveInt, PositiveInt, PositiveInt]
"""One number for all spatial axes, or (depth, height, width)."""
Sizes = PositiveInt | tuple[PositiveInt, ...]
"""One number for all spatial axes, or one for each."""

Edges = tuple[NonNegativeInt, NonNegativeInt]
"""How much is added before and after along one axis."""

Padding1D = Literal["SAME", "VALID"] | Edges | tuple[Edges]
"""`SAME` (ceil(size / stride) outputs), `VALID` (whole windows only), or (low, high)."""
Padding2D = Literal["SAME", "VALID"] | tuple[Edges, Edges]
"""`SAME`, `VALID`, or ((top, bottom), (left, right))."""
Padding3D = Literal["SAME", "VALID"] | tuple[Edges, Edges, Edges]
"""`SAME`, `VALID`, or ((front, back), (top, bottom), (left, right))."""
Padding = Padding1D | Padding2D | Padding3D

AXES = {1: "batch length channels", 2: "batch height width channels", 3: "batch depth height width channels"}
"""The names of an input's axes, by the number of those over which windows move."""


def per_axis(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    """One number for each of `axes` spatial axes.

    >>> per_axis(3, 2), per_axis((3, 5), 2)
    ((3, 3), (3, 5))
    """
    return (value,) * axes if isinstance(value, int) else value


def extents(kernel: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """How far a kernel's taps reach along each axis when `dilation` spreads them.

    >>> extents((3, 2), (1, 4))
    (3, 5)
    """
    return tuple((size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True))


def given_edges(padding: Padding) -> tuple[Edges, ...]:
    """Padding that was given in numbers, as a pair (low, high) for each axis.

    >>> given_edges((1, 2)), given_edges(((1, 2), (0, 0)))
    (((1, 2),), ((1, 2), (0, 0)))
    """
    assert not isinstance(padding, str)
    return tuple((padding,)) if isinstance(padding[0], int) else tuple(padding)  # pyright: ignore[reportReturnType]


def edges(sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: Padding) -> tuple[Edges, ...]:
    """Padding as (low, high) for each spatial axis, where the axes have these `sizes`.

    Raises `ShapeError` where not one window fits into what is padded.

    >>> edges((5, 6), (3, 3), (2, 2), "SAME")
    ((1, 1), (0, 1))
    """
    if isinstance(padding, str):
        pairs = tuple((low, high) for low, high in lax.padtype_to_pads(sizes, window, strides, padding))
    else:
        pairs = given_edges(padding)
    padded = [low + size + high for size, (low, high) in zip(sizes, pairs, strict=True)]
    if any(have < need for have, need in zip(padded, window, strict=True)):
        raise ShapeError(
            f"a window of {tuple(window)} does not fit into {tuple(sizes)} with padding {padding!r}",
            fix="use padding='SAME', a smaller window or less dilation, or fewer strided layers before",
        )
    return pairs
