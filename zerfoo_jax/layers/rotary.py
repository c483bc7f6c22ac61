"""Rotary position embedding."""

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def rotary_embedding(x: Array, positions: Array | None = None, *, base: float = 10000.0) -> Array:
    """Turns pairs of features by an angle that grows with the position (Su et al., RoFormer, arXiv 2104.09864).

    `x` is (batch, seq, heads, head_dim); `positions` is (seq,), by default 0, 1, ... Feature i is paired with feature
    i + head_dim/2 (the rotate-half layout of GPT-NeoX and Llama) and turned by position · base^(-2i/head_dim) radians.
    Raises `ShapeError` where head_dim is odd.

    >>> rotary_embedding(jnp.ones((1, 2, 1, 2)), jnp.array([0, jnp.pi / 2]))[0, :, 0].round(3).tolist()
    [[1.0, 1.0], [-1.0, 1.0]]
    """
    seq, head_dim = x.shape[1], x.shape[-1]
    if head_dim % 2:
        raise ShapeError(f"rotary embedding needs an even head_dim, got {head_dim}", fix="choose an even head_dim")
    wide = widened(x)
    positions = jnp.arange(seq) if positions is None else positions
    frequencies = base ** (-jnp.arange(0, head_dim, 2, dtype=wide.dtype) / head_dim)
    angles = (positions.astype(wide.dtype)[:, None] * frequencies[None, :])[None, :, None, :]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    first, second = jnp.split(wide, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1).astype(x.dtype)
