"""The arithmetic of scaled dot-product attention (Vaswani et al., arXiv 1706.03762)."""

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.attention.masks import alibi_bias, expect_mask, of_four_axes, positional_mask, relative_positions
from zerfoo_jax.layers.noise.dropout import drop
from zerfoo_jax.numeric import wide_dtype

_FUSED_FROM = 2**23
"""Scores from which cuDNN's fixed cost pays: on an H200, forward and backward, slower below, 1.5 to 5 times as fast above."""


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    *,
    causal: bool = False,
    sliding_window: int | None = None,
    alibi: bool = False,
    offset: Array | int | None = None,
    dropout: float = 0.0,
    dropout_key: Array | None = None,
) -> Array:
    """softmax(query · keyᵀ / √head_dim + bias) · value, per head.

    `query` is (batch, q, heads, head_dim); `key` and `value` are (batch, kv, kv_heads, head_dim), each of their heads shared by
    heads / kv_heads consecutive query heads (grouped-query attention, Ainslie et al., arXiv 2305.13245).

    `mask` is broadcastable to (batch, heads, q, kv), or (batch, kv) for padding. A boolean one says where queries may attend; a
    floating one is the bias, and its -inf forbid. `causal` and `sliding_window` forbid more, see `positional_mask`; `alibi`
    adds the bias of `alibi_bias`. Query 0 stands at position `offset` among the keys, by default such that the last query is
    at the last key. A query that may attend to nothing gets zeros.

    The softmax is computed in float32 for half precisions. `dropout` acts on the attention weights and needs `dropout_key`.
    Returns (batch, q, heads, head_dim); raises `ShapeError` where shapes do not fit.

    >>> x = jnp.eye(2)[None, :, None, :]
    >>> dot_product_attention(0 * x, x, x, causal=True)[0, :, 0].tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    _expect_fitting(query, key, value, mask)
    plain = mask is None and sliding_window is None and not alibi and offset is None and dropout == 0
    if plain and _runs_fused(query, key, causal):
        return jax.nn.dot_product_attention(query, key, value, is_causal=causal, implementation="cudnn")
    (_, q_len, heads, _), kv_len = query.shape, key.shape[1]
    distance = relative_positions(q_len, kv_len, kv_len - q_len if offset is None else offset)
    allowed = positional_mask(distance, causal=causal, sliding_window=sliding_window)
    scores = _scores(query, key)
    if alibi:
        scores = scores + alibi_bias(heads, distance).astype(scores.dtype)
    if mask is not None:
        bias, permitted = _parts(of_four_axes(mask))
        scores = scores if bias is None else scores + bias.astype(scores.dtype)
        allowed = permitted if allowed is None else allowed & permitted
    weights = drop(masked_softmax(scores, allowed), dropout, dropout_key)
    return _weighted(weights.astype(query.dtype), value)


# On the CPU, products of (batch, heads, seq, head_dim) run faster than einsums over (batch, seq, heads, head_dim). The query
# heads that share a key head stand as further rows of one product: nothing is repeated.


def _scores(query: Array, key: Array) -> Array:
    """query · keyᵀ / √head_dim, (batch, heads, q, kv)."""
    (batch, q_len, heads, head_dim), (kv_len, kv_heads) = query.shape, key.shape[1:3]
    rows = (query * head_dim**-0.5).transpose(0, 2, 1, 3).reshape(batch, kv_heads, heads // kv_heads * q_len, head_dim)
    # Rounding a score of 10 to bfloat16 can change its weight by 3 %: products are summed and kept in float32.
    wide = wide_dtype(query.dtype)
    scores = jnp.matmul(rows, key.transpose(0, 2, 3, 1), preferred_element_type=wide)
    return scores.reshape(batch, heads, q_len, kv_len)


def _weighted(weights: Array, value: Array) -> Array:
    """weights · value, (batch, q, heads, head_dim)."""
    (batch, heads, q_len, kv_len), (kv_heads, head_dim) = weights.shape, value.shape[2:]
    rows = weights.reshape(batch, kv_heads, heads // kv_heads * q_len, kv_len)
    y = jnp.matmul(rows, value.transpose(0, 2, 1, 3))
    return y.reshape(batch, heads, q_len, head_dim).transpose(0, 2, 1, 3)


def _runs_fused(query: Array, key: Array, causal: bool) -> bool:
    """Whether cuDNN's flash attention takes these inputs and is faster: half precisions, even lengths, many scores."""
    (batch, q_len, heads, head_dim), kv_len = query.shape, key.shape[1]
    return (
        jax.default_backend() == "gpu"
        and "nvidia" in jax.devices()[0].device_kind.lower()
        and query.dtype in (jnp.bfloat16, jnp.float16)
        and head_dim % 8 == 0
        and head_dim <= 128
        and q_len % 2 == kv_len % 2 == 0  # its gradient does not know odd ones
        and (q_len == kv_len or not causal)
        and batch * heads * q_len * kv_len >= _FUSED_FROM
    )


def _parts(mask: Array) -> tuple[Array | None, Array]:
    """What a mask adds to the scores, or None, and where it permits attention."""
    if mask.dtype == jnp.bool_:
        return None, mask
    permitted = ~jnp.isneginf(mask)
    return jnp.where(permitted, mask, jnp.zeros_like(mask)), permitted


def masked_softmax(scores: Array, mask: Array | None) -> Array:
    """Softmax over the last axis where `mask` holds, zero elsewhere."""
    if mask is None:
        return jax.nn.softmax(scores, axis=-1)
    # A finite fill makes no NaN, not even in between, of a row without a single True; the second `where` zeroes it.
    weights = jax.nn.softmax(jnp.where(mask, scores, jnp.finfo(scores.dtype).min), axis=-1)
    return jnp.where(mask, weights, jnp.zeros_like(weights))


def _expect_fitting(query: Array, key: Array, value: Array, mask: Array | None) -> None:
    for x in (query, key, value):
        expect_axes(x, "batch seq heads head_dim")
    batch, q_len, heads, head_dim = query.shape
    fits = key.shape == value.shape and (key.shape[0], key.shape[3]) == (batch, head_dim)
    if not fits or heads % max(key.shape[2], 1):
        raise ShapeError(
            f"attention needs query (batch, q, heads, head_dim) and key, value (batch, kv, kv_heads, head_dim) with heads a "
            f"multiple of kv_heads, got {query.shape}, {key.shape}, {value.shape}"
        )
    if mask is not None:
        expect_mask(mask, (batch, heads, q_len, key.shape[1]))
