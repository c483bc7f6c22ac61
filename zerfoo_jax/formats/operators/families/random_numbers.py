"""Random numbers: from the seed that the file holds, else from the key of the run, else from key 0."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.arrays import held
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.sizes import check_output_size


def RandomNormal(
    *,
    shape: Sequence[int],
    mean: float = 0.0,
    scale: float = 1.0,
    dtype: int = 1,
    seed: float | None = None,
    key: Array | None = None,
) -> Any:
    """Normal numbers."""
    return _normal(key, seed, shape, dtype_of(dtype), mean, scale)


def RandomNormalLike(
    input: Any,
    *,
    mean: float = 0.0,
    scale: float = 1.0,
    dtype: int | None = None,
    seed: float | None = None,
    key: Array | None = None,
) -> Any:
    """Normal numbers in the shape of the input."""
    return _normal(key, seed, input.shape, _or_like(dtype, input), mean, scale)


def RandomUniform(
    *,
    shape: Sequence[int],
    low: float = 0.0,
    high: float = 1.0,
    dtype: int = 1,
    seed: float | None = None,
    key: Array | None = None,
) -> Any:
    """Numbers between two bounds, each as likely as the others."""
    return _uniform(key, seed, shape, dtype_of(dtype), low, high)


def RandomUniformLike(
    input: Any,
    *,
    low: float = 0.0,
    high: float = 1.0,
    dtype: int | None = None,
    seed: float | None = None,
    key: Array | None = None,
) -> Any:
    """Numbers between two bounds, each as likely as the others, in the shape of the input."""
    return _uniform(key, seed, input.shape, _or_like(dtype, input), low, high)


def Bernoulli(input: Any, *, dtype: int | None = None, seed: float | None = None, key: Array | None = None) -> Any:
    """1 with the probability that the input says, else 0."""
    drawn = jax.random.bernoulli(_key(key, seed), jnp.asarray(input).astype(jnp.float32), input.shape)
    return drawn.astype(held(_or_like(dtype, input)))


def Multinomial(
    input: Any, *, sample_size: int = 1, dtype: int = 6, seed: float | None = None, key: Array | None = None
) -> Any:
    """For each row of log-probabilities (batch, classes), which need not be normalised, classes drawn with replacement."""
    if input.ndim != 2:
        raise ShapeError(f"Multinomial takes (batch, classes), got shape {input.shape}")
    shape = check_output_size((len(input), sample_size))
    logits = jnp.asarray(input).astype(jnp.float32)[:, None, :]
    return jax.random.categorical(_key(key, seed), logits, shape=shape).astype(held(dtype_of(dtype)))


def _normal(key: Array | None, seed: float | None, shape: Sequence[int], dtype: Any, mean: float, scale: float) -> Any:
    drawn = jax.random.normal(_key(key, seed), check_output_size(shape), jnp.float32)
    return (drawn * scale + mean).astype(held(dtype))


def _uniform(key: Array | None, seed: float | None, shape: Sequence[int], dtype: Any, low: float, high: float) -> Any:
    drawn = jax.random.uniform(_key(key, seed), check_output_size(shape), jnp.float32)
    return (drawn * (high - low) + low).astype(held(dtype))


def _or_like(dtype: int | None, x: Any) -> Any:
    return x.dtype if dtype is None else dtype_of(dtype)


def _key(key: Array | None, seed: float | None) -> Array:
    if seed is not None:
        return jax.random.key(int(np.float32(seed).view(np.uint32)))
    return jax.random.key(0) if key is None else key
