"""Normalisation, channels first: (batch, channels, *spatial). Statistics are computed in float32 or wider."""

from collections.abc import Sequence
import math

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.known import Buffer
from zerfoo_jax.layers.convolutions.convolve import shifted
from zerfoo_jax.numeric import wide_dtype, widened

Outputs = Array | tuple[Array, ...]


def BatchNormalization(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Buffer,
    var: Buffer,
    *,
    epsilon: float = 1e-5,
    is_test: int = 0,
    momentum: float = 0.9,
    spatial: int = 1,
    outputs: int = 1,
) -> Outputs:
    """(x - mean) / sqrt(var + epsilon) · scale + bias, per channel, or per element of an example with `spatial` = 0.

    Where more than one output is wanted and `is_test` is 0, mean and variance are the batch's; the outputs are then y, the
    running mean and variance, those of the batch.
    """
    if outputs < 2 or is_test:
        return _scaled(x, mean, var, scale, bias, epsilon)
    axes = tuple(axis for axis in range(x.ndim) if axis == 0 or (spatial and axis > 1))
    y, *statistics = _in_training(x, scale, bias, mean, var, epsilon, momentum, axes)
    return (y, *statistics)[:outputs]


def BatchNormalization_14(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Buffer,
    var: Buffer,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Outputs:
    """(x - mean) / sqrt(var + epsilon) · scale + bias per channel (Ioffe and Szegedy, arXiv 1502.03167).

    With `training_mode` mean and variance are the batch's, and the further outputs are the running mean and variance.
    """
    if not training_mode:
        return _scaled(x, mean, var, scale, bias, epsilon)
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    return _in_training(x, scale, bias, mean, var, epsilon, momentum, axes)[:3]


def _in_training(
    x: Array, scale: Array, bias: Array, mean: Array, var: Array, epsilon: float, momentum: float, axes: tuple[int, ...]
) -> tuple[Array, ...]:
    """The output, new running mean and variance, the batch's mean and variance."""
    wide = widened(x)
    now = jnp.mean(wide, axes), jnp.var(wide, axes)
    running = [
        (widened(old) * momentum + new.astype(wide_dtype(old.dtype)) * (1 - momentum)).astype(old.dtype)
        for old, new in zip((mean, var), now, strict=True)
    ]
    return _scaled(x, *now, scale, bias, epsilon), *running, *(new.astype(mean.dtype) for new in now)


def _scaled(x: Array, mean: Array, var: Array, scale: Array, bias: Array, epsilon: float) -> Array:
    """The normalised input; the others are per channel or have the shape of an example."""
    dtype = wide_dtype(x.dtype)

    def spread(p: Array) -> Array:
        p = p.astype(dtype)
        if x.ndim == 1:
            return jnp.broadcast_to(p, x.shape)
        return p.reshape(1, p.size, *(1,) * (x.ndim - 2)) if p.ndim == 1 else p.reshape(1, *x.shape[1:])

    by = spread(scale) * lax.rsqrt(spread(var) + epsilon)
    return ((x.astype(dtype) - spread(mean)) * by + spread(bias)).astype(x.dtype)


def InstanceNormalization(x: Array, scale: Array, bias: Array, *, epsilon: float = 1e-5) -> Array:
    """(x - mean) / sqrt(var + epsilon) · scale + bias, mean and variance over the spatial axes."""
    normal, _, _ = _standardized(x, tuple(range(2, x.ndim)), epsilon)
    return _per_channel(normal, scale, bias).astype(x.dtype)


def GroupNormalization(x: Array, scale: Array, bias: Array, *, num_groups: int, epsilon: float = 1e-5) -> Array:
    """As of version 21, but with one scale and bias per group."""
    _expect_groups(x, num_groups)
    scale, bias = (jnp.repeat(p, x.shape[1] // num_groups) for p in (scale, bias))
    return GroupNormalization_21(x, scale, bias, num_groups=num_groups, epsilon=epsilon)


def GroupNormalization_21(
    x: Array, scale: Array, bias: Array, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Array:
    """(x - mean) / sqrt(var + epsilon) · scale + bias, mean and variance over each group of channels and all spatial axes."""
    del stash_type
    _expect_groups(x, num_groups)
    grouped = x.reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)
    normal, _, _ = _standardized(grouped, (2,), epsilon)
    return _per_channel(normal.reshape(x.shape), scale, bias).astype(x.dtype)


def _expect_groups(x: Array, groups: int) -> None:
    if x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"the channels of an input of shape {tuple(x.shape)} do not fall into {groups} groups")


def LayerNormalization(
    x: Array, scale: Array, bias: Array | None = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Outputs:
    """(x - mean) / sqrt(var + epsilon) · scale + bias over the axes from `axis` on; mean and 1 / sqrt(var + epsilon).

    Ba et al., arXiv 1607.06450.
    """
    del stash_type
    normal, mean, by = _standardized(x, _from(x, axis), epsilon)
    y = normal * jnp.broadcast_to(scale.astype(normal.dtype), x.shape)
    if bias is not None:
        y = y + jnp.broadcast_to(bias.astype(normal.dtype), x.shape)
    return y.astype(x.dtype), mean, by


def RMSNormalization(x: Array, scale: Array, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Array:
    """x / sqrt(mean(x²) + epsilon) · scale over the axes from `axis` on (Zhang and Sennrich, arXiv 1910.07467)."""
    del stash_type
    wide = widened(x)
    by = lax.rsqrt(jnp.mean(jnp.square(wide), _from(x, axis), keepdims=True) + epsilon)
    return (wide * by * jnp.broadcast_to(scale.astype(wide.dtype), x.shape)).astype(scale.dtype)


def LRN(x: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Array:
    """x / (bias + alpha / size Σ x²)^beta, the sum over `size` channels around each (Krizhevsky et al., 2012)."""
    if size < 1:
        raise FormatError(f"LRN over {size} channels, which have to be at least 1")
    wide = widened(x)
    low, high = (min(amount, x.shape[1] - 1) for amount in ((size - 1) // 2, size // 2))
    squares = lax.pad(
        jnp.square(wide), jnp.zeros((), wide.dtype), [(low, high, 0) if i == 1 else (0, 0, 0) for i in range(x.ndim)]
    )
    total = sum(shifted(squares, 1, low + 1 + high, 1))
    return (wide / (bias + alpha / size * total) ** beta).astype(x.dtype)


def LpNormalization(x: Array, *, axis: int = -1, p: int = 2) -> Array:
    """x / (Σ |x|ᵖ)^(1/p) along an axis, 0 where the norm is."""
    wide = widened(x)
    total = jnp.sum(jnp.square(wide) if p == 2 else jnp.abs(wide), axis, keepdims=True)
    some = total > 0
    norm = jnp.where(some, total, 1)
    return jnp.where(some, wide / (jnp.sqrt(norm) if p == 2 else norm), jnp.zeros((), wide.dtype)).astype(x.dtype)


def MeanVarianceNormalization(x: Array, *, axes: Sequence[int] = (0, 2, 3)) -> Array:
    """(x - mean) / (sqrt(var) + 1e-9) over some axes."""
    wide = widened(x)
    centred = wide - jnp.mean(wide, tuple(axes), keepdims=True)
    return (centred / (jnp.sqrt(jnp.mean(jnp.square(centred), tuple(axes), keepdims=True)) + 1e-9)).astype(x.dtype)


def _from(x: Array, axis: int) -> tuple[int, ...]:
    return tuple(range(axis % x.ndim, x.ndim))


def _standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    """(x - mean) / sqrt(var + epsilon), mean and 1 / sqrt(var + epsilon), in float32 or wider."""
    wide = widened(x)
    mean = jnp.mean(wide, axes, keepdims=True)
    by = lax.rsqrt(jnp.var(wide, axes, keepdims=True) + epsilon)
    return (wide - mean) * by, mean, by


def _per_channel(x: Array, scale: Array, bias: Array) -> Array:
    shape = (1, x.shape[1], *(1,) * (x.ndim - 2))
    return x * scale.reshape(shape).astype(x.dtype) + bias.reshape(shape).astype(x.dtype)
