"""Attention, (batch, heads, sequence, head size) or with the heads within the last of three axes, and rotary positions."""

from functools import reduce
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.numeric import wide_dtype, widened


def Attention(
    q: Array,
    k: Array,
    v: Array,
    attn_mask: Array | None = None,
    past_key: Array | None = None,
    past_value: Array | None = None,
    nonpad_kv_seqlen: Array | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int = 0,
    left_window_size: int = -1,
    q_num_heads: int = 0,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
) -> tuple[Array, ...]:
    """softmax(q kᵀ scale + bias) v, with the keys and values of the past put before; these; and one of its steps.

    The logits pass through softcap · tanh(· / softcap) first, where that is not 0. A boolean mask says which keys count,
    another is added, and keys beyond it do not count; causal masking and windows count positions from the first key. A query
    for which no key counts gives zeros.
    """
    packed = q.ndim == 3
    if packed:
        q, k, v = _in_heads(q, q_num_heads), _in_heads(k, kv_num_heads), _in_heads(v, kv_num_heads)
    if past_key is not None and past_value is not None:
        k, v = jnp.concatenate([past_key, k], axis=2), jnp.concatenate([past_value, v], axis=2)
    scores = scaled_scores(q, k, scale)
    capped = softcap * jnp.tanh(scores / softcap) if softcap else scores
    offset = _offset(q, past_key, nonpad_kv_seqlen)
    seen = _seen(q, k, offset, nonpad_kv_seqlen, is_causal, left_window_size, right_window_size)
    bias = _bias(attn_mask, seen, scores)
    biased = capped if bias is None else capped + bias
    dtype = q.dtype if softmax_precision is None else dtype_of(softmax_precision)
    weights = _weights(biased.astype(wide_dtype(dtype)), bias)
    y = times_values(weights.astype(q.dtype), v)
    steps = (scores, capped, biased, weights)
    if not 0 <= qk_matmul_output_mode < len(steps):
        raise FormatError(f"Attention has no qk_matmul_output_mode {qk_matmul_output_mode}")
    step = steps[qk_matmul_output_mode].astype(q.dtype)
    return _packed(y) if packed else y, k, v, step


def _in_heads(x: Array, heads: int) -> Array:
    """(batch, sequence, heads · size) -> (batch, heads, sequence, size)."""
    if heads < 1 or x.shape[2] % heads:
        raise ShapeError(f"the last axis of {tuple(x.shape)} does not fall into {heads} heads")
    return jnp.moveaxis(x.reshape(*x.shape[:2], heads, x.shape[2] // heads), 1, 2)


def _packed(x: Array) -> Array:
    """(batch, heads, sequence, size) -> (batch, sequence, heads · size)."""
    x = jnp.moveaxis(x, 1, 2)
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def scaled_scores(q: Array, k: Array, scale: float | None) -> Array:
    """q kᵀ scale in float32 or wider, (batch, query heads, queries, keys); each head of k serves as many of q.

    Raises `ShapeError` where the heads of q are no multiple of those of k.
    """
    k = _shared(k, q.shape[1])
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    wide = wide_dtype(q.dtype)
    return jnp.einsum("bhqd,bhkd->bhqk", q * root, k * root, preferred_element_type=wide)


def times_values(weights: Array, v: Array) -> Array:
    """Σ weights v, (batch, query heads, queries, value size)."""
    y = jnp.einsum("bhqk,bhkd->bhqd", weights, _shared(v, weights.shape[1]), preferred_element_type=wide_dtype(v.dtype))
    return y.astype(v.dtype)


def _shared(x: Array, heads: int) -> Array:
    """Each head of x as often in a row as makes `heads`."""
    if not x.shape[1] or heads % x.shape[1]:
        raise ShapeError(f"{heads} heads of queries cannot share {x.shape[1]} of keys and values")
    return x if heads == x.shape[1] else jnp.repeat(x, heads // x.shape[1], axis=1)


def _offset(q: Array, past_key: Array | None, lengths: Array | None) -> Any:
    """How many keys come before the first query: a number, or (batch, 1, 1, 1)."""
    if past_key is not None:
        return past_key.shape[2]
    return 0 if lengths is None else lengths.reshape(lengths.size, 1, 1, 1) - q.shape[2]


def _seen(q: Array, k: Array, offset: Any, lengths: Array | None, causal: int, left: int, right: int) -> Array | None:
    """Which keys each query sees by its position, (batch or 1, 1, queries, keys), or None for all."""
    keys = np.arange(k.shape[2], dtype=np.int32)[None, None, None]
    # Known where the offset is: then the mask is a constant of the program.
    queries = np.arange(q.shape[2], dtype=np.int32)[None, None, :, None] + (
        offset if isinstance(offset, int) else offset.astype(np.int32)
    )
    rules = []
    if causal:
        rules.append(keys <= queries)
    if left >= 0:
        rules.append(keys >= queries - left)
    if right >= 0:
        rules.append(keys <= queries + right)
    if lengths is not None:
        rules.append(keys < lengths.reshape(lengths.size, 1, 1, 1).astype(np.int32))
    return jnp.asarray(reduce(jnp.logical_and, rules)) if rules else None


def _bias(mask: Array | None, seen: Array | None, scores: Array) -> Array | None:
    """What is added to the logits, of four axes: the mask, and -inf where a key is not seen."""
    none = jnp.asarray(-jnp.inf, scores.dtype)
    if mask is None:
        return None if seen is None else jnp.where(seen, jnp.zeros((), scores.dtype), none)
    if mask.ndim > 4:
        raise ShapeError(f"an attention mask has up to four axes, got shape {tuple(mask.shape)}")
    mask = mask.reshape(*(1,) * (4 - mask.ndim), *mask.shape)
    boolean = mask.dtype == jnp.bool_
    bias = jnp.where(mask, jnp.zeros((), scores.dtype), none) if boolean else mask.astype(scores.dtype)
    missing = scores.shape[-1] - mask.shape[-1]
    if missing > 0:
        bias = jnp.pad(bias, ((0, 0), (0, 0), (0, 0), (0, missing)), constant_values=none)
    return bias if seen is None else jnp.where(seen, bias, none)


def _weights(logits: Array, bias: Array | None) -> Array:
    """The softmax of the logits; zeros for a query that no key counts for."""
    if bias is None:
        return softmax(logits)
    counts = jnp.max(bias, -1, keepdims=True) > -jnp.inf
    return jnp.where(counts, softmax(jnp.where(counts, logits, jnp.zeros((), logits.dtype))), jnp.zeros((), logits.dtype))


def softmax(logits: Array) -> Array:
    """exp(x) / Σ exp(x) along the last axis."""
    powers = jnp.exp(logits - jnp.max(logits, -1, keepdims=True))
    return powers / jnp.sum(powers, -1, keepdims=True)


def RotaryEmbedding(
    x: Array,
    cos_cache: Array,
    sin_cache: Array,
    position_ids: Array | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Array:
    """The first features of each head, in pairs (a, b), become a cos - b sin and a sin + b cos (Su et al., arXiv 2104.09864).

    The tables hold a row for each of `position_ids`, or are (batch, sequence, pairs) themselves. Pairs are neighbours with
    `interleaved`, else one feature from each half.
    """
    packed = x.ndim == 3
    heads = _in_heads(x, num_heads) if packed else jnp.asarray(x)
    size = rotary_embedding_dim or heads.shape[-1]
    if size % 2 or size > heads.shape[-1]:
        raise FormatError(f"the {heads.shape[-1]} features of a head cannot be turned in pairs as far as {size}")
    if position_ids is not None:
        cos_cache, sin_cache = (jnp.take(jnp.asarray(table), position_ids, axis=0) for table in (cos_cache, sin_cache))
    cos, sin = (widened(table)[:, None] for table in (cos_cache, sin_cache))
    turned, rest = widened(heads[..., :size]), heads[..., size:]
    pairs = turned.reshape(*turned.shape[:-1], *((size // 2, 2) if interleaved else (2, size // 2)))
    axis = -1 if interleaved else -2
    a, b = (jnp.take(pairs, i, axis=axis) for i in (0, 1))
    turned = jnp.stack([a * cos - b * sin, a * sin + b * cos], axis=axis).reshape(turned.shape).astype(x.dtype)
    y = jnp.concatenate([turned, rest], axis=-1)
    return _packed(y) if packed else y
