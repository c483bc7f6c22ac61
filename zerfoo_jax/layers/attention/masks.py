"""Who may attend to whom: masks (batch, heads, q, kv), and the linear biases of ALiBi."""

import math

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Spec


def relative_positions(q_len: int, kv_len: int, offset: Array | int) -> Array:
    """Key position minus query position, (q, kv), where query 0 stands at position `offset` among the keys.

    >>> relative_positions(2, 3, 1).tolist()
    [[-1, 0, 1], [-2, -1, 0]]
    """
    return jnp.arange(kv_len)[None, :] - (jnp.arange(q_len)[:, None] + offset)


def positional_mask(distance: Array, *, causal: bool = False, sliding_window: int | None = None) -> Array | None:
    """True where a key at that relative position may be attended to, (1, 1, q, kv); None where all may.

    `causal` forbids what comes later, `sliding_window` what is that many positions away or more (Beltagy et al., arXiv
    2004.05150; Jiang et al., arXiv 2310.06825).

    >>> positional_mask(relative_positions(3, 3, 0), causal=True, sliding_window=2)[0, 0].astype(int).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    rules = [distance <= 0] if causal else []
    rules += [jnp.abs(distance) < sliding_window] if sliding_window else []
    return jnp.logical_and.reduce(jnp.stack(rules), axis=0)[None, None] if rules else None


def padding_mask(lengths: Array, seq: int) -> Array:
    """True for the first `lengths[i]` of `seq` positions, (batch, seq).

    >>> padding_mask(jnp.array([1, 3]), 3).astype(int).tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    return jnp.arange(seq)[None, :] < lengths[:, None]


def alibi_slopes(num_heads: int) -> list[float]:
    """How fast each head's scores fall with distance (Press et al., arXiv 2108.12409).

    For n heads, n a power of two, 2^(-8/n), 2^(-16/n), ..., 2^(-8). Otherwise those of the next lower power of two, then every
    other one of the next higher, as in the authors' code.

    >>> alibi_slopes(4), alibi_slopes(3)
    ([0.25, 0.0625, 0.015625, 0.00390625], [0.0625, 0.00390625, 0.25])
    """
    power = 2 ** math.floor(math.log2(num_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + [2 ** (-4 * (2 * i + 1) / power) for i in range(num_heads - power)]


def alibi_bias(num_heads: int, distance: Array) -> Array:
    """-slope · |distance| for each head, (1, heads, q, kv) in float32, to be added to the scores (arXiv 2108.12409).

    >>> alibi_bias(2, relative_positions(2, 2, 0))[0, 0].tolist()
    [[-0.0, -0.0625], [-0.0625, -0.0]]
    """
    slopes = jnp.array(alibi_slopes(num_heads), jnp.float32)[None, :, None, None]
    return -slopes * jnp.abs(distance).astype(jnp.float32)[None, None]


def expect_mask(mask: Array | Spec, shape: tuple[int, int, int, int]) -> None:
    """Raises `ShapeError` unless the mask is (batch, kv) or broadcastable to `shape`, boolean or floating."""
    if mask.dtype != jnp.bool_ and not jnp.issubdtype(mask.dtype, jnp.floating):
        raise ShapeError(
            f"attention needs a mask of booleans, or of floats to add to the scores, got {mask.dtype}",
            fix="pass e.g. tokens != padding",
        )
    batch, _, _, kv_len = shape
    wanted = (batch, kv_len) if len(mask.shape) == 2 else shape
    fits = len(mask.shape) == len(wanted) and all(have in (1, want) for have, want in zip(mask.shape, wanted, strict=True))
    if not fits:
        raise ShapeError(
            f"attention needs a mask (batch, kv) = {(batch, kv_len)} or broadcastable to (batch, heads, q, kv) = {shape}, "
            f"got {tuple(mask.shape)}",
            fix="for a (batch, q, kv) mask pass mask[:, None]",
        )


def of_four_axes(mask: Array) -> Array:
    """The mask with axes (batch, heads, q, kv), some of them 1."""
    return mask[:, None, None, :] if mask.ndim == 2 else mask
