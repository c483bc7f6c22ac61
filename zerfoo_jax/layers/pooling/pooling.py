"""Pooling over sequences, images and volumes, channels last.

A window's maximum or sum is folded along one spatial axis after the other, the last first, over strided slices. Both
directions of differentiation then run at the speed of element-wise arithmetic, which `lax.reduce_window` does not reach on a
CPU, and the maximum's gradient goes to exactly one element: the first of equals in row order, as in torch. (Equals are the
normal case, since the zeros that follow a relu tie.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.forms import are_as_defined
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.convolve import pad_spatially, shifted
from zerfoo_jax.layers.convolutions.windows import (
    AXES,
    Edges,
    Padding,
    Padding1D,
    Padding2D,
    Padding3D,
    Pair,
    Single,
    Sizes,
    Triple,
    edges,
    given_edges,
    per_axis,
)
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class _Pool(Layer):
    """The geometry of a pooling layer; `strides` default to the window."""

    axes: ClassVar[int]
    """The number of spatial axes."""
    window: Sizes
    strides: Sizes | None = None
    padding: Padding = "VALID"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, tuple):
            amounts = given_edges(self.padding)
            window = per_axis(self.window, len(amounts))
            if any(max(pair) >= size for pair, size in zip(amounts, window, strict=True)):
                raise ConfigError(
                    f"{type(self).__name__}.padding = {self.padding} is not below the window {window}",
                    fix="pad by less than the window, so that each window meets the input",
                )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[self.axes])
        expect_floating(x)
        self._geometry(x)
        return {}, {}

    def _geometry(self, x: Array | Spec) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Edges, ...]]:
        """Window, strides and padding of the spatial axes."""
        axes = len(x.shape) - 2
        window = per_axis(self.window, axes)
        strides = window if self.strides is None else per_axis(self.strides, axes)
        return window, strides, edges(x.shape[1:-1], window, strides, self.padding)

    def _reduce(self, x: Array, outside: float, combine: Callable[[Array, Array], Array]) -> Array:
        """Combines each window's elements, `outside` standing in the padding."""
        window, strides, padding = self._geometry(x)
        if are_as_defined():
            as_defined = lax.max if combine is first_max else lax.add
            sizes, steps = (1, *window, 1), (1, *strides, 1)
            return lax.reduce_window(x, np.asarray(outside, x.dtype), as_defined, sizes, steps, ((0, 0), *padding, (0, 0)))
        x = pad_spatially(x, padding, outside)
        # The last axis first: the first of equals along each row, then the first such row, is the first in row order.
        for axis in reversed(range(len(window))):
            x = reduce(combine, shifted(x, axis + 1, window[axis], strides[axis]))
        return x


@dataclass(frozen=True)
class _MaxPool(_Pool):
    """The maximum of each window."""

    def forward(self, params: Params, x: Array) -> Array:
        return self._reduce(x, -jnp.inf, first_max)


def first_max(best: Array, new: Array) -> Array:
    """The maximum, differentiable towards one argument only: `best` unless `new` is greater or NaN.

    >>> first_max(jnp.ones(2), jnp.array([1.0, 3.0])).tolist()
    [1.0, 3.0]
    """
    return jnp.where((new > best) | jnp.isnan(new), new, best)


@dataclass(frozen=True)
class _AvgPool(_Pool):
    """The mean of each window."""

    count_include_padding: bool = False

    def forward(self, params: Params, x: Array) -> Array:
        total = self._reduce(widened(x), 0.0, jnp.add)
        return (total / self._counts(x).astype(total.dtype)).astype(x.dtype)

    def _counts(self, x: Array) -> np.ndarray:
        """How many elements each window counts, (1, *spatial', 1)."""
        counts = np.ones((1,))
        for size, window, stride, (low, high) in zip(x.shape[1:-1], *self._geometry(x), strict=True):
            starts = np.arange(0, low + size + high - window + 1, stride) - low
            within = np.minimum(starts + window, size) - np.maximum(starts, 0)
            counts = np.multiply.outer(counts, np.full_like(within, window) if self.count_include_padding else within)
        return counts[..., None]


@dataclass(frozen=True)
class MaxPool1D(_MaxPool):
    """The maximum of each window: (batch, length, c) -> (batch, length', c).

    Among equals the gradient goes to the first. NaN in a window gives NaN. Padding never wins.

    >>> MaxPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0], [0.0]]])).ravel().tolist()
    [3.0, 2.0]
    """

    axes: ClassVar[int] = 1
    window: Single
    strides: Single | None = None
    padding: Padding1D = "VALID"


@dataclass(frozen=True)
class MaxPool2D(_MaxPool):
    """The maximum of each window: (batch, height, width, c) -> (batch, height', width', c).

    Among equals the gradient goes to the first in row order. NaN in a window gives NaN. Padding never wins.

    >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> MaxPool2D(2).forward({}, x)[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """

    axes: ClassVar[int] = 2
    window: Pair
    strides: Pair | None = None
    padding: Padding2D = "VALID"


@dataclass(frozen=True)
class MaxPool3D(_MaxPool):
    """The maximum of each window: (batch, depth, height, width, c) -> (batch, depth', height', width', c).

    Among equals the gradient goes to the first in row order. NaN in a window gives NaN. Padding never wins.

    >>> MaxPool3D(2).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [7.0]
    """

    axes: ClassVar[int] = 3
    window: Triple
    strides: Triple | None = None
    padding: Padding3D = "VALID"


@dataclass(frozen=True)
class AvgPool1D(_AvgPool):
    """The mean of each window: (batch, length, c) -> (batch, length', c).

    Padding is not counted unless `count_include_padding`: the mean is over the elements of the window that lie within the
    sequence.

    >>> AvgPool1D(2).forward({}, jnp.array([[[1.0], [3.0], [2.0], [0.0]]])).ravel().tolist()
    [2.0, 1.0]
    """

    axes: ClassVar[int] = 1
    window: Single
    strides: Single | None = None
    padding: Padding1D = "VALID"


@dataclass(frozen=True)
class AvgPool2D(_AvgPool):
    """The mean of each window: (batch, height, width, c) -> (batch, height', width', c).

    Padding is not counted unless `count_include_padding`: the mean is over the elements of the window that lie within the
    image (torch: `count_include_pad=False`).

    >>> AvgPool2D(3, 1, "SAME").forward({}, jnp.ones((1, 2, 2, 1))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    axes: ClassVar[int] = 2
    window: Pair
    strides: Pair | None = None
    padding: Padding2D = "VALID"


@dataclass(frozen=True)
class AvgPool3D(_AvgPool):
    """The mean of each window: (batch, depth, height, width, c) -> (batch, depth', height', width', c).

    Padding is not counted unless `count_include_padding`: the mean is over the elements of the window that lie within the
    volume.

    >>> AvgPool3D(2).forward({}, jnp.arange(8.0).reshape(1, 2, 2, 2, 1)).ravel().tolist()
    [3.5]
    """

    axes: ClassVar[int] = 3
    window: Triple
    strides: Triple | None = None
    padding: Padding3D = "VALID"
