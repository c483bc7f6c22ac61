"""Clustering as a layer: soft assignment to centres that are learned with everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class KMeans(Layer):
    """p_k = softmax_k(-d(x, c_k) / (2 T²)): how much each example belongs to each of `num_clusters` learned centres c_k.

    (..., features) -> (..., num_clusters) probabilities, or with `output` "features" their mean centre Σ_k p_k c_k of x's
    shape. d is the squared Euclidean distance |x - c|², the Manhattan distance Σ|x - c|, or the cosine distance 1 - cos(x, c).
    With d Euclidean p is the posterior of a mixture of equal Gaussians of standard deviation T. To cluster what a network
    makes of the input, put the network in front in a `Sequential`.

    Parameters: `centers` (num_clusters, features).

    >>> params = {"centers": jnp.array([[0.0], [4.0]])}
    >>> [round(float(p), 3) for p in KMeans(2, temperature=2.0).forward(params, jnp.array([1.0]))]
    [0.731, 0.269]
    """

    num_clusters: PositiveInt
    temperature: PositiveFloat = 1.0
    output: Literal["probabilities", "features"] = "probabilities"
    distance: Literal["euclidean", "manhattan", "cosine"] = "euclidean"
    centers_init: InitializerSpec = (("name", "normal"), ("stddev", 1.0))

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        return {"centers": initialize(self.centers_init, key, (self.num_clusters, x.shape[-1]), param_dtype(x))}, {}

    def forward(self, params: Params, x: Array) -> Array:
        wide, centers = widened(x), widened(params["centers"])
        probabilities = jax.nn.softmax(-_DISTANCES[self.distance](wide, centers) / (2 * self.temperature**2))
        y = probabilities if self.output == "probabilities" else probabilities @ centers
        return y.astype(x.dtype)


def _euclidean(x: Array, centers: Array) -> Array:
    """|x - c|², less what is equal for all centres and so changes no softmax: |x|², which spares the differences' array."""
    # Distances from the centres' mean, not the origin: far from it the product would swallow the digits of the difference.
    origin = jnp.mean(centers, axis=0, keepdims=True)
    centers = centers - origin
    products = jnp.matmul(x - origin.reshape((1,) * (x.ndim - 1) + (-1,)), centers.T, precision=lax.Precision.HIGHEST)
    squares = jnp.sum(jnp.square(centers), axis=-1)
    return squares.reshape((1,) * (x.ndim - 1) + (-1,)) - 2 * products


def _manhattan(x: Array, centers: Array) -> Array:
    return jnp.sum(jnp.abs(x[..., None, :] - centers.reshape((1,) * (x.ndim - 1) + centers.shape)), axis=-1)


def _cosine(x: Array, centers: Array) -> Array:
    return 1 - jnp.matmul(_unit(x), _unit(centers).T, precision=lax.Precision.HIGHEST)


def _unit(x: Array) -> Array:
    """x / |x|, and 0 with gradient 0 for 0."""
    square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x * jnp.where(square > 0, lax.rsqrt(jnp.where(square > 0, square, 1.0)), 0.0)


_DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "cosine": _cosine,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}
