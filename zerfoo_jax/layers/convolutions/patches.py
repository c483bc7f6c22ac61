"""Images as sequences of patches, and the token that stands for all of them (Dosovitskiy et al., arXiv 2010.11929)."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.convolutions.convolution import Conv2D
from zerfoo_jax.layers.convolutions.windows import Pair, per_axis
from zerfoo_jax.layers.initializers import InitializerSpec, initialize


@dataclass(frozen=True)
class PatchEmbedding(Layer):
    """One vector for each patch: (batch, height, width, in) -> (batch, patches, features), in row order.

    A patch of `patch_size` pixels (height, width) becomes its product with the kernel, plus the bias: a convolution whose
    strides are its size. Raises `ShapeError` for images that are not whole patches.

    Parameters: `kernel` (patch height, patch width, in, features), `bias` (features,).

    >>> import jax
    >>> layer = PatchEmbedding(8, 4)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 12, 3), jnp.float32))
    >>> layer.forward(params, jnp.ones((2, 8, 12, 3))).shape
    (2, 6, 8)
    """

    features: PositiveInt
    patch_size: Pair
    kernel_init: InitializerSpec = "lecun_normal"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch height width channels")
        size = per_axis(self.patch_size, 2)
        if any(pixels % patch for pixels, patch in zip(x.shape[1:3], size, strict=True)):
            raise ShapeError(f"an image of {tuple(x.shape[1:3])} pixels is not made of whole patches of {size}")
        return self._convolution().init(key, x)

    def forward(self, params: Params, x: Array) -> Array:
        return self._convolution().forward(params, x).reshape(x.shape[0], -1, self.features)

    def _convolution(self) -> Conv2D:
        return Conv2D(self.features, self.patch_size, self.patch_size, "VALID", kernel_init=self.kernel_init)


@dataclass(frozen=True)
class ClassToken(Layer):
    """A learned vector in front of every sequence: (batch, seq, features) -> (batch, seq + 1, features).

    What later layers gather in its place stands for the whole sequence; `FirstToken` takes it out again.

    Parameters: `embedding` (features,).

    >>> ClassToken().forward({"embedding": jnp.array([5.0])}, jnp.ones((1, 2, 1))).ravel().tolist()
    [5.0, 1.0, 1.0]
    """

    embedding_init: InitializerSpec = "zeros"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch seq features")
        expect_floating(x)
        return {"embedding": initialize(self.embedding_init, key, x.shape[-1:], param_dtype(x))}, {}

    def forward(self, params: Params, x: Array) -> Array:
        first = jnp.broadcast_to(params["embedding"].astype(x.dtype), (x.shape[0], 1, x.shape[-1]))
        return jnp.concatenate([first, x], axis=1)


@dataclass(frozen=True)
class FirstToken(Layer):
    """The first vector of every sequence: (batch, seq, ...) -> (batch, ...).

    >>> FirstToken().forward({}, jnp.arange(6.0).reshape(1, 3, 2)).tolist()
    [[0.0, 1.0]]
    """

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch seq", least=True)
        if x.shape[1] == 0:
            raise ShapeError(f"FirstToken got sequences without a token, shape {tuple(x.shape)}")
        return {}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return x[:, 0]
