"""Normalisation over the batch and over the features; over groups of channels: `group_norm.py`.

Statistics are computed in float32 (float64 for float64 inputs).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Fraction, PositiveFloat
from zerfoo_jax.core.forms import are_as_defined, are_for_cpu
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.norms.rows_norm import normalised_rows
from zerfoo_jax.numeric import widened


def affine_params(x: Spec, *, scale: bool, bias: bool) -> Params:
    """One value of each wanted kind per channel of the last axis: scales of 1, biases of 0."""
    expect_axes(x, "features", least=True)
    expect_floating(x)
    shape, dtype = x.shape[-1:], param_dtype(x)
    return ({"scale": jnp.ones(shape, dtype)} if scale else {}) | ({"bias": jnp.zeros(shape, dtype)} if bias else {})


def affine(params: Params, y: Array, dtype: Any) -> Array:
    """scale · y + bias over the last axis, for those of the two that exist, in `dtype`."""
    if "scale" in params:
        y = y * over_last(params["scale"].astype(y.dtype), y)
    if "bias" in params:
        y = y + over_last(params["bias"].astype(y.dtype), y)
    return y.astype(dtype)


def moments(x: Array, mean_of: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Mean and biased variance, given how to take a mean that broadcasts to `x`.

    >>> mean, var = moments(jnp.array([1.0, 3.0]), lambda x: jnp.mean(x, keepdims=True))
    >>> mean.tolist(), var.tolist()
    ([2.0], [1.0])
    """
    mean = mean_of(x)
    # E[(x - k)²] - (mean - k)² is the variance for any k. Where k is the mean nothing cancels, as it does in E[x²] - mean²; and
    # as a constant it spares the backward pass a sum that is always zero.
    shift = lax.stop_gradient(mean)
    return mean, mean_of(jnp.square(x - shift)) - jnp.square(mean - shift)


def standardise(params: Params, x: Array, mean: Array, var: Array, epsilon: float) -> Array:
    """scale · (x - mean) / sqrt(var + epsilon) + bias for moments over many positions and few values per channel.

    >>> x, mean, var = jnp.array([[1.0], [5.0]]), jnp.array([[3.0]]), jnp.array([[4.0]])
    >>> standardise({"scale": jnp.array([3.0])}, x, mean, var, 0.0).tolist()
    [[-3.0], [3.0]]
    """
    factor = lax.rsqrt(var + epsilon)
    if "scale" in params:
        factor = factor * over_last(params["scale"].astype(x.dtype), x)
    # The mean's gradient goes through the small offset, so that the large array is read but once for all small gradients.
    shift = lax.stop_gradient(mean)
    offset = -(mean - shift) * factor
    if "bias" in params:
        offset = offset + over_last(params["bias"].astype(x.dtype), x)
    return (x - shift) * factor + offset


@dataclass(frozen=True)
class BatchNorm(Layer):
    """y = scale · (x - mean) / sqrt(var + epsilon) + bias, per channel, (..., channels) (Ioffe & Szegedy, arXiv 1502.03167).

    In training, mean and (biased) variance are those of the batch, over all axes but the last, and the running statistics
    become momentum · old + (1 - momentum) · new, where new's variance is the unbiased estimate: `momentum=0.9` here is
    torch's `momentum=0.1`. Otherwise the running statistics take their place.

    Parameters: `scale`, `bias` (channels,). State: `mean`, `var` (channels,), in float32 (float64 for float64 inputs).
    Raises `ShapeError` when training on a single value per channel, which has no variance.

    >>> layer = BatchNorm(momentum=0.5, use_scale=False, use_bias=False)
    >>> x, state = jnp.array([[0.0], [2.0]]), {"mean": jnp.zeros(1), "var": jnp.ones(1)}
    >>> y, state = layer.apply({}, state, x, train=True)
    >>> y.round(3).tolist(), state["mean"].tolist(), state["var"].tolist()
    ([[-1.0], [1.0]], [0.5], [1.5])
    """

    momentum: Fraction = 0.9
    epsilon: PositiveFloat = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch channels", least=True)
        params = affine_params(x, scale=self.use_scale, bias=self.use_bias)
        dtype = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
        return params, {"mean": jnp.zeros(x.shape[-1:], dtype), "var": jnp.ones(x.shape[-1:], dtype)}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        wide = widened(x)
        if train:
            mean, var = _batch_statistics(wide)
            state = self._running(state, mean, var, x.size // x.shape[-1])
        else:
            mean, var = (over_last(state[name].astype(wide.dtype), wide) for name in ("mean", "var"))
        return standardise(params, wide, mean, var, self.epsilon).astype(x.dtype), state

    def _running(self, state: State, mean: Array, var: Array, count: int) -> State:
        new = {"mean": mean, "var": var * (count / (count - 1))}
        return {
            name: self.momentum * old + (1 - self.momentum) * lax.stop_gradient(new[name]).ravel().astype(old.dtype)
            for name, old in state.items()
        }


def _batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance per channel."""
    if x.size // max(x.shape[-1], 1) < 2:
        raise ShapeError(
            f"BatchNorm in training needs more than one value per channel, got shape {tuple(x.shape)}",
            fix="use a larger batch, drop the short last batch, or use LayerNorm",
        )
    return moments(x, partial(jnp.mean, axis=tuple(range(x.ndim - 1)), keepdims=True))


@dataclass(frozen=True)
class LayerNorm(Layer):
    """y = scale · (x - mean) / sqrt(var + epsilon) + bias over the last axis, (..., features) (Ba et al., arXiv 1607.06450).

    Parameters: `scale`, `bias` (features,).

    >>> LayerNorm().forward({"scale": jnp.ones(2), "bias": jnp.zeros(2)}, jnp.array([[1.0, 3.0]])).round(3).tolist()
    [[-1.0, 1.0]]
    """

    epsilon: PositiveFloat = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        return affine_params(x, scale=self.use_scale, bias=self.use_bias), {}

    def forward(self, params: Params, x: Array) -> Array:
        wide = widened(x)
        if are_for_cpu():
            scale, bias = (
                jnp.asarray(params[name], wide.dtype) if name in params else jnp.full(x.shape[-1], neutral, wide.dtype)
                for name, neutral in (("scale", 1), ("bias", 0))
            )
            return jnp.astype(normalised_rows(wide, scale, bias, self.epsilon), x.dtype)
        mean_of = partial(jnp.mean, axis=-1, keepdims=True)
        if are_as_defined():
            centred = wide - mean_of(wide)
            return affine(params, centred * lax.rsqrt(mean_of(jnp.square(centred)) + self.epsilon), x.dtype)
        mean, var = moments(wide, mean_of)
        return affine(params, (wide - mean) * lax.rsqrt(var + self.epsilon), x.dtype)


@dataclass(frozen=True)
class RMSNorm(Layer):
    """y = scale · x / sqrt(mean(x²) + epsilon) over the last axis, (..., features) (Zhang & Sennrich, arXiv 1910.07467).

    `scale_offset` is added to the scale, which starts at 1 - scale_offset: 1 for Gemma's (1 + scale) (arXiv 2403.08295), where
    decay pulls the factor towards one.

    Parameters: `scale` (features,).

    >>> RMSNorm().forward({"scale": jnp.ones(2)}, jnp.array([[3.0, 3.0]])).round(3).tolist()
    [[1.0, 1.0]]
    """

    epsilon: PositiveFloat = 1e-6
    scale_offset: float = 0.0

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        params = affine_params(x, scale=True, bias=False)
        return {"scale": params["scale"] - self.scale_offset}, {}

    def forward(self, params: Params, x: Array) -> Array:
        wide = widened(x)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        # Added in float32: in half precision 1 + scale would round a small scale away.
        factor = params["scale"].astype(wide.dtype) + self.scale_offset
        return affine({"scale": factor}, wide * lax.rsqrt(mean_square + self.epsilon), x.dtype)
