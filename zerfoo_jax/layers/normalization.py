"""Normalisation over the batch and over the features. Statistics are computed in float32 (float64 for float64 inputs)."""

from dataclasses import dataclass
from typing import Any

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Fraction, PositiveFloat
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.numeric import widened


def _affine_params(x: Spec, *, scale: bool, bias: bool) -> Params:
    expect_axes(x, "features", least=True)
    expect_floating(x)
    shape, dtype = x.shape[-1:], param_dtype(x)
    return ({"scale": jnp.ones(shape, dtype)} if scale else {}) | ({"bias": jnp.zeros(shape, dtype)} if bias else {})


def _affine(params: Params, y: Array, dtype: Any) -> Array:
    """scale · y + bias over the last axis, for those of the two that exist, in `dtype`."""
    if "scale" in params:
        y = y * over_last(params["scale"].astype(y.dtype), y)
    if "bias" in params:
        y = y + over_last(params["bias"].astype(y.dtype), y)
    return y.astype(dtype)


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
        params = _affine_params(x, scale=self.use_scale, bias=self.use_bias)
        dtype = jnp.float64 if x.dtype == jnp.float64 else jnp.float32
        return params, {"mean": jnp.zeros(x.shape[-1:], dtype), "var": jnp.ones(x.shape[-1:], dtype)}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        wide = widened(x)
        mean, var = _batch_statistics(wide) if train else (state["mean"], state["var"])
        centred = wide - over_last(mean.astype(wide.dtype), wide)
        y = centred * over_last(lax.rsqrt(var.astype(wide.dtype) + self.epsilon), wide)
        new_state = self._running(state, mean, var, x.size // x.shape[-1]) if train else state
        return _affine(params, y, x.dtype), new_state

    def _running(self, state: State, mean: Array, var: Array, count: int) -> State:
        new = {"mean": mean, "var": var * (count / (count - 1))}
        return {
            name: self.momentum * old + (1 - self.momentum) * lax.stop_gradient(new[name]).astype(old.dtype)
            for name, old in state.items()
        }


def _batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance per channel."""
    if x.size // max(x.shape[-1], 1) < 2:
        raise ShapeError(
            f"BatchNorm in training needs more than one value per channel, got shape {tuple(x.shape)}",
            fix="use a larger batch, drop the short last batch, or use LayerNorm",
        )
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    # In two passes: E[x²] - E[x]² cancels where the mean is large beside the spread.
    return mean, jnp.mean(jnp.square(x - over_last(mean, x)), axes)


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
        return _affine_params(x, scale=self.use_scale, bias=self.use_bias), {}

    def forward(self, params: Params, x: Array) -> Array:
        wide = widened(x)
        centred = wide - jnp.mean(wide, axis=-1, keepdims=True)
        var = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        return _affine(params, centred * lax.rsqrt(var + self.epsilon), x.dtype)


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
        params = _affine_params(x, scale=True, bias=False)
        return {"scale": params["scale"] - self.scale_offset}, {}

    def forward(self, params: Params, x: Array) -> Array:
        wide = widened(x)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        # Added in float32: in half precision 1 + scale would round a small scale away.
        factor = params["scale"].astype(wide.dtype) + self.scale_offset
        return _affine({"scale": factor}, wide * lax.rsqrt(mean_square + self.epsilon), x.dtype)
