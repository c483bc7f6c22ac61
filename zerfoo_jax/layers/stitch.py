"""From any shape to any other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import math

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.layers.dense import Dense


@dataclass(frozen=True)
class Stitch(Composite):
    """One linear map of all of an example's numbers, to fit parts of unlike shapes together: (batch, ...) -> (batch, *shape).

    The last axes vary fastest, in x and in y.

    Parameters: `dense` with `kernel` (numbers in, numbers out) and `bias` (numbers out,).

    >>> import jax
    >>> import jax.numpy as jnp
    >>> layer, x = Stitch((2, 5)), jnp.ones((7, 4, 3))
    >>> params, state = layer.init(jax.random.key(0), x)
    >>> params["dense"]["kernel"].shape, layer.apply(params, state, x)[0].shape
    ((12, 10), (7, 2, 5))
    """

    shape: tuple[PositiveInt, ...]
    use_bias: bool = True

    def children(self) -> Mapping[str, Layer]:
        return {"dense": Dense(math.prod(self.shape), self.use_bias)}

    def connect(self, call: Callable[..., Tree], x: Array) -> Tree:
        expect_axes(x, "batch", least=True)
        return call("dense", x.reshape(x.shape[0], math.prod(x.shape[1:]))).reshape(x.shape[0], *self.shape)
