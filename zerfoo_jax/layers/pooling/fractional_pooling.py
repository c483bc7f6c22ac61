"""Pooling by a factor between 1 and 2, over regions that training draws anew (Graham, arXiv 1412.6071), channels last."""

from dataclasses import dataclass
from functools import reduce
from typing import Annotated

from annotated_types import Gt, Lt
import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.convolutions.windows import AXES, Pair, per_axis
from zerfoo_jax.layers.pooling.pooling import first_max

_MIDDLE = 0.5


@dataclass(frozen=True)
class FractionalMaxPool2D(Layer):
    """The maximum of windows at uneven distances: (batch, height, width, c) -> (batch, height', width', c).

    The output's size is `output_size`, or floor(size · `output_ratio`). Along an axis of `size` with n outputs, the window of
    output i begins at floor((i + u) a) - floor(u a) with a = (size - window) / (n - 1), the last one at size - window: torch's
    form of the paper's pseudo-random regions, which overlap where a < window. In training u is drawn uniformly from 0 ... 1 for
    each example and axis, and needs `key`; otherwise u = 0.5. Among equals the gradient goes to the first in row order.

    >>> layer = FractionalMaxPool2D(2, output_ratio=0.75)
    >>> layer.apply({}, {}, jnp.arange(16.0).reshape(1, 4, 4, 1))[0][0, :, :, 0].tolist()
    [[5.0, 6.0, 7.0], [9.0, 10.0, 11.0], [13.0, 14.0, 15.0]]
    """

    window: Pair
    output_size: Pair | None = None
    output_ratio: Annotated[float, Gt(0), Lt(1)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.output_size is None) == (self.output_ratio is None):
            raise ConfigError(
                f"FractionalMaxPool2D.output_size = {self.output_size} and output_ratio = {self.output_ratio}: one is needed",
                fix="give one of them",
            )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, AXES[2])
        expect_floating(x)
        for size, window, outputs in zip(x.shape[1:3], per_axis(self.window, 2), self._outputs(x), strict=True):
            if outputs < 1 or size < outputs + window - 1:
                raise ShapeError(
                    f"FractionalMaxPool2D cannot make {outputs} windows of {window} out of {size} elements",
                    fix="choose an output that is smaller, but at least 1, or a smaller window",
                )
        return {}, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        if train and key is None:
            raise ConfigError("FractionalMaxPool2D draws its regions in training and needs a key", fix="pass key=...")
        shape = (x.shape[0], 2)
        samples = jax.random.uniform(key, shape, jnp.float32) if train and key is not None else jnp.full(shape, _MIDDLE)
        return self._pool(x, samples), state

    def _pool(self, x: Array, samples: Array) -> Array:
        """Pools each example by its own two numbers in 0 ... 1: (batch, (height, width))."""
        for axis in (1, 0):  # the last first: see `pooling`
            window, outputs = per_axis(self.window, 2)[axis], self._outputs(x)[axis]
            starts = _starts(samples[:, axis], x.shape[1 + axis], window, outputs)
            taken = jax.vmap(lambda image, places, axis=axis: jnp.take(image, places, axis, mode="clip"))
            x = reduce(first_max, (taken(x, starts + i) for i in range(window)))
        return x

    def _outputs(self, x: Array | Spec) -> tuple[int, ...]:
        if self.output_size is not None:
            return per_axis(self.output_size, 2)
        return tuple(int(size * (self.output_ratio or 0)) for size in x.shape[1:3])


def _starts(samples: Array, size: int, window: int, outputs: int) -> Array:
    """Where the windows begin, (batch, outputs), for one number in 0 ... 1 per example."""
    last = jnp.full((samples.shape[0], 1), size - window, jnp.int32)
    if outputs == 1:
        return last
    step = jnp.float32((size - window) / (outputs - 1))
    moved = (jnp.arange(outputs - 1, dtype=jnp.float32)[None] + samples[:, None]) * step
    return jnp.concatenate([moved.astype(jnp.int32) - (samples[:, None] * step).astype(jnp.int32), last], axis=1)
