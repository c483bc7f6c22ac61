"""Pooling over images, channels last.

A window's maximum or sum is folded along the width, then along the height, over strided slices. Both directions of
differentiation then run at the speed of element-wise arithmetic, which `lax.reduce_window` does not reach on a CPU, and
the maximum's gradient goes to exactly one element: the first of equals in row order, as in torch. (Equals are the normal
case, since the zeros that follow a relu tie.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from jax import lax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.windows import Padding, Pair, edges, pair
from zerfoo_jax.numeric import widened

Size = tuple[int, int]


@dataclass(frozen=True)
class _Pool2D(Layer):
    """The geometry of a pooling layer; `strides` default to the window."""

    window: Pair
    strides: Pair | None = None
    padding: Padding = "VALID"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.padding, tuple):
            for size, amounts in zip(pair(self.window), self.padding, strict=True):
                if max(amounts) >= size:
                    raise ConfigError(
                        f"{type(self).__name__}.padding = {self.padding} is not below the window {pair(self.window)}",
                        fix="pad by less than the window, so that each window meets the image",
                    )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch height width channels")
        expect_floating(x)
        self._geometry(x)
        return {}, {}

    def _geometry(self, x: Array | Spec) -> tuple[Size, Size, tuple[Size, Size]]:
        """Window, strides and padding of the two spatial axes."""
        window = pair(self.window)
        strides = window if self.strides is None else pair(self.strides)
        return window, strides, edges(x.shape[1:3], window, strides, self.padding)

    def _reduce(self, x: Array, outside: float, combine: Callable[[Array, Array], Array]) -> Array:
        """Combines each window's elements, `outside` standing in the padding."""
        window, strides, (rows, columns) = self._geometry(x)
        x = lax.pad(x, jnp.asarray(outside, x.dtype), ((0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0)))
        # Width before height: the first of equals along each row, then the first such row, is the first in row order.
        x = reduce(combine, _taps(x, 2, window[1], strides[1]))
        return reduce(combine, _taps(x, 1, window[0], strides[0]))


def _taps(x: Array, axis: int, window: int, stride: int) -> list[Array]:
    """For each position within the window, the elements of all windows at that position."""
    span = (x.shape[axis] - window) // stride * stride + 1
    return [lax.slice_in_dim(x, start, start + span, stride, axis) for start in range(window)]


def _first_max(best: Array, new: Array) -> Array:
    """The maximum, differentiable towards one argument only: `best` unless `new` is greater or NaN."""
    return jnp.where((new > best) | jnp.isnan(new), new, best)


@dataclass(frozen=True)
class MaxPool2D(_Pool2D):
    """The maximum of each window: (batch, height, width, c) -> (batch, height', width', c).

    Among equals the gradient goes to the first in row order. NaN in a window gives NaN. Padding never wins.

    >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> MaxPool2D(2).forward({}, x)[0, :, :, 0].tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """

    def forward(self, params: Params, x: Array) -> Array:
        return self._reduce(x, -jnp.inf, _first_max)


@dataclass(frozen=True)
class AvgPool2D(_Pool2D):
    """The mean of each window: (batch, height, width, c) -> (batch, height', width', c).

    Padding is not counted: the mean is over the elements of the window that lie within the image (torch:
    `count_include_pad=False`).

    >>> AvgPool2D(3, 1, "SAME").forward({}, jnp.ones((1, 2, 2, 1))).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def forward(self, params: Params, x: Array) -> Array:
        total = self._reduce(widened(x), 0.0, jnp.add)
        return (total / self._counts(x).astype(total.dtype)).astype(x.dtype)

    def _counts(self, x: Array) -> np.ndarray:
        """How many elements of the image each window holds, (1, height', width', 1)."""
        axes = []
        for size, window, stride, (low, high) in zip(x.shape[1:3], *self._geometry(x), strict=True):
            starts = np.arange(0, low + size + high - window + 1, stride) - low
            axes.append(np.minimum(starts + window, size) - np.maximum(starts, 0))
        return np.outer(*axes)[None, :, :, None]


@dataclass(frozen=True)
class GlobalAvgPool(Layer):
    """The mean over all spatial axes: (batch, *spatial, c) -> (batch, c).

    >>> GlobalAvgPool().forward({}, jnp.arange(6.0).reshape(1, 3, 2)).tolist()
    [[2.0, 3.0]]
    """

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch spatial channels", least=True)
        expect_floating(x)
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return jnp.mean(widened(x), axis=tuple(range(1, x.ndim - 1))).astype(x.dtype)
