"""What convolution and pooling share: windows that move over the two spatial axes of (batch, height, width, channels)."""

from collections.abc import Sequence
from typing import Literal

from jax import lax

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt

Pair = PositiveInt | tuple[PositiveInt, PositiveInt]
"""One number for both spatial axes, or (height, width)."""

Edges = tuple[NonNegativeInt, NonNegativeInt]

Padding = Literal["SAME", "VALID"] | tuple[Edges, Edges]
"""`SAME` (ceil(size / stride) outputs), `VALID` (whole windows only), or ((top, bottom), (left, right))."""


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width).

    >>> pair(3), pair((3, 5))
    ((3, 3), (3, 5))
    """
    return (value, value) if isinstance(value, int) else value


def edges(
    sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: Padding
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding as ((top, bottom), (left, right)) for an image of `sizes` (height, width).

    Raises `ShapeError` where not one window fits into the padded image.

    >>> edges((5, 6), (3, 3), (2, 2), "SAME")
    ((1, 1), (0, 1))
    """
    if isinstance(padding, str):
        (top, bottom), (left, right) = lax.padtype_to_pads(sizes, window, strides, padding)
    else:
        (top, bottom), (left, right) = padding
    padded = (top + sizes[0] + bottom, left + sizes[1] + right)
    if padded[0] < window[0] or padded[1] < window[1]:
        raise ShapeError(
            f"a window of {tuple(window)} does not fit into {tuple(sizes)} with padding {padding!r}",
            fix="use padding='SAME', a smaller window or less dilation, or fewer strided layers before",
        )
    return (top, bottom), (left, right)
