"""What convolutions and pools of the ONNX specification share: how their attributes place windows over the spatial axes."""

from collections.abc import Sequence
from typing import NamedTuple

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.operators.sizes import check_output_size

Ints = Sequence[int]


class Windows(NamedTuple):
    """Where the windows lie along each spatial axis: their taps, how far apart windows and taps are, and what is put around."""

    taps: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    edges: tuple[tuple[int, int], ...]
    """Low and high; negative amounts cut off."""

    def reaches(self) -> tuple[int, ...]:
        """How far each window reaches."""
        return reaches(self.taps, self.dilations)

    def counts(self, sizes: Ints) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(
            (low + size + high - reach) // stride + 1
            for size, (low, high), reach, stride in zip(sizes, self.edges, self.reaches(), self.strides, strict=True)
        )


def reaches(taps: Ints, dilations: Ints) -> tuple[int, ...]:
    """How far windows reach whose taps are spread.

    >>> reaches((3, 2), (1, 4))
    (3, 5)
    """
    return tuple((size - 1) * step + 1 for size, step in zip(taps, dilations, strict=True))


def windows(
    sizes: Ints,
    taps: Ints,
    strides: Ints = (),
    dilations: Ints = (),
    pads: Ints = (),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> Windows:
    """The windows over spatial axes of these sizes, by the attributes of Conv and the pools; an empty one has its default.

    With `ceil_mode` a last window may reach past what `pads` puts there, if it does not begin there. Raises `FormatError` for
    numbers that place no windows.

    >>> windows((5,), (3,), (2,), auto_pad="SAME_UPPER").edges
    ((1, 1),)
    """
    axes = len(sizes)
    strides = tuple(strides) or (1,) * axes
    dilations = tuple(dilations) or (1,) * axes
    pads = tuple(pads) or (0,) * (2 * axes)
    if not (len(taps) == len(strides) == len(dilations) == axes and len(pads) == 2 * axes):
        raise FormatError(
            f"kernel {tuple(taps)}, strides {strides}, dilations {dilations} and pads {pads} are not for {axes} spatial axes"
        )
    if min((*taps, *strides, *dilations), default=1) < 1:
        raise FormatError(f"kernel {tuple(taps)}, strides {strides} and dilations {dilations} have to be at least 1")
    edges = tuple(
        _edges(size, reach, stride, pads[i], pads[axes + i], auto_pad, ceil_mode)
        for i, (size, reach, stride) in enumerate(zip(sizes, reaches(taps, dilations), strides, strict=True))
    )
    check_output_size(max(low + size + high, 0) for size, (low, high) in zip(sizes, edges, strict=True))
    placed = Windows(tuple(taps), strides, dilations, edges)
    if min(placed.counts(sizes), default=1) < 1:
        raise FormatError(
            f"a window of {tuple(taps)}, spread by {dilations}, does not fit into {tuple(sizes)} with {edges} around"
        )
    return placed


def _edges(size: int, reach: int, stride: int, low: int, high: int, auto_pad: str, ceil_mode: int) -> tuple[int, int]:
    """What is put around one axis."""
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return halved(total, auto_pad)
    if auto_pad == "VALID":
        return 0, 0
    if auto_pad not in ("NOTSET", ""):
        raise FormatError(f"there is no auto_pad {auto_pad!r}", fix="known: NOTSET, SAME_UPPER, SAME_LOWER, VALID")
    if not ceil_mode:
        return low, high
    count = -(-(low + size + high - reach) // stride) + 1
    count -= (count - 1) * stride >= low + size
    return low, (count - 1) * stride + reach - size - low


def halved(total: int, auto_pad: str) -> tuple[int, int]:
    """Padding shared out to both ends; the odd one goes to the high end with SAME_UPPER, else to the low end.

    >>> halved(3, "SAME_UPPER"), halved(3, "SAME_LOWER")
    ((1, 2), (2, 1))
    """
    low = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
    return low, total - low
