"""Scaled dot-product attention (Vaswani et al., arXiv 1706.03762): the arithmetic as a function, and the layer around it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.dropout import drop
from zerfoo_jax.layers.initializers import InitializerSpec
from zerfoo_jax.layers.rotary import rotary_embedding
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
    dropout: float = 0.0,
    dropout_key: Array | None = None,
) -> Array:
    """softmax(query · keyᵀ / √head_dim) · value, per head.

    `query` is (batch, q, heads, head_dim); `key` and `value` are (batch, kv, kv_heads, head_dim), each of their heads shared by
    heads / kv_heads consecutive query heads (grouped-query attention, Ainslie et al., arXiv 2305.13245). The boolean `mask`
    is broadcastable to (batch, heads, q, kv); True means that the query may attend to the key. With `causal` the last query
    is aligned with the last key and attends to nothing later. A query that may attend to nothing gets zeros. The softmax is
    computed in float32 for half precisions. `dropout` acts on the attention weights and needs `dropout_key`.
    Returns (batch, q, heads, head_dim); raises `ShapeError` where shapes do not fit.

    >>> x = jnp.eye(2)[None, :, None, :]
    >>> dot_product_attention(0 * x, x, x, causal=True)[0, :, 0].tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """
    _expect_fitting(query, key, value, mask)
    if mask is None and dropout == 0 and _runs_fused(query, key, causal):
        return jax.nn.dot_product_attention(query, key, value, is_causal=causal, implementation="cudnn")
    (batch, q_len, heads, head_dim), (kv_len, kv_heads) = query.shape, key.shape[1:3]
    grouped = query.reshape(batch, q_len, kv_heads, heads // kv_heads, head_dim)
    # Rounding a score of 10 to bfloat16 can change its weight by 3 %: products are summed and kept in float32.
    scores = jnp.einsum("bqgrd,bkgd->bgrqk", grouped, key, preferred_element_type=wide_dtype(query.dtype)) * head_dim**-0.5
    weights = _masked_softmax(scores.reshape(batch, heads, q_len, kv_len), _allowed(mask, causal, q_len, kv_len))
    weights = drop(weights, dropout, dropout_key).astype(query.dtype)
    grouped_weights = weights.reshape(batch, kv_heads, heads // kv_heads, q_len, kv_len)
    return jnp.einsum("bgrqk,bkgd->bqgrd", grouped_weights, value).reshape(query.shape)


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


def _allowed(mask: Array | None, causal: bool, q_len: int, kv_len: int) -> Array | None:
    """`mask` and the causal triangle as one mask of four axes."""
    if not causal:
        return mask
    triangle = jnp.tril(jnp.ones((1, 1, q_len, kv_len), bool), kv_len - q_len)
    return triangle if mask is None else mask & triangle


def _masked_softmax(scores: Array, mask: Array | None) -> Array:
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
        _expect_mask(mask, (batch, heads, q_len, key.shape[1]))


def _expect_mask(mask: Array | Spec, shape: tuple[int, int, int, int]) -> None:
    if mask.dtype != jnp.bool_:
        raise ShapeError(f"attention needs a boolean mask, got {mask.dtype}", fix="pass e.g. tokens != padding")
    if len(mask.shape) != 4 or any(have not in (1, want) for have, want in zip(mask.shape, shape, strict=True)):
        raise ShapeError(
            f"attention needs a mask broadcastable to (batch, heads, q, kv) = {shape}, got {tuple(mask.shape)}",
            fix="for a (batch, kv) mask pass mask[:, None, None, :]",
        )


@dataclass(frozen=True)
class MultiHeadAttention(Layer):
    """Self-attention: (batch, seq, features) -> (batch, seq, features), with an optional boolean mask as second input.

    The mask is broadcastable to (batch, heads, seq, seq), True = may attend. `num_kv_heads` below `num_heads` is grouped-query
    attention; `head_dim` is features / num_heads unless given. `rotary` turns queries and keys by their position. `dropout`
    acts on the attention weights in training.

    Parameters: `query`, `key`, `value` with `kernel` (features, heads · head_dim) and `bias`, and `out` back to features.
    Raises `ConfigError` at construction and `ShapeError` at `init` where the numbers do not divide.

    >>> layer = MultiHeadAttention(2, causal=True)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3, 8), jnp.float32))
    >>> layer.apply(params, state, jnp.ones((1, 3, 8)))[0].shape
    (1, 3, 8)
    """

    num_heads: PositiveInt
    num_kv_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None
    causal: bool = False
    rotary: bool = False
    rotary_base: PositiveFloat = 10000.0
    use_bias: bool = True
    dropout: Probability = 0.0
    kernel_init: InitializerSpec = "lecun_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_heads % self._kv_heads():
            raise ConfigError(
                f"MultiHeadAttention.num_heads = {self.num_heads} is not a multiple of num_kv_heads = {self.num_kv_heads}",
                fix="choose num_kv_heads as a divisor of num_heads",
            )
        if self.rotary and self.head_dim and self.head_dim % 2:
            raise ConfigError(
                f"MultiHeadAttention.head_dim = {self.head_dim} is odd, and rotary turns pairs", fix="choose an even head_dim"
            )

    def init(self, key: Array, x: Spec, mask: Spec | None = None) -> tuple[Params, State]:
        expect_axes(x, "batch seq features")
        expect_floating(x)
        batch, seq, features = x.shape
        if mask is not None:
            _expect_mask(mask, (batch, self.num_heads, seq, seq))
        width = self.num_heads * self._head_dim(features)
        params = {
            name: layer.init(fold_in_name(key, name), Spec((batch, seq, width if name == "out" else features), x.dtype))[0]
            for name, layer in self._projections(features).items()
        }
        return params, {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        mask: Array | None = None,
        *,
        key: Array | None = None,
        train: bool = False,
    ) -> tuple[Array, State]:
        batch, seq, features = x.shape
        projections = self._projections(features)

        def heads(name: str) -> Array:
            return projections[name].forward(params[name], x).reshape(batch, seq, -1, self._head_dim(features))

        q, k, v = heads("query"), heads("key"), heads("value")
        if self.rotary:
            q, k = rotary_embedding(q, base=self.rotary_base), rotary_embedding(k, base=self.rotary_base)
        dropout = self.dropout if train else 0.0
        y = dot_product_attention(q, k, v, mask, causal=self.causal, dropout=dropout, dropout_key=key)
        return projections["out"].forward(params["out"], y.reshape(batch, seq, -1)), state

    def _kv_heads(self) -> int:
        return self.num_kv_heads or self.num_heads

    def _head_dim(self, features: int) -> int:
        if self.head_dim is None and features % self.num_heads:
            raise ShapeError(
                f"MultiHeadAttention got {features} features, not a multiple of num_heads = {self.num_heads}",
                fix="choose num_heads as a divisor of the features, or give head_dim",
            )
        head_dim = self.head_dim or features // self.num_heads
        if self.rotary and head_dim % 2:
            raise ShapeError(f"rotary needs an even head_dim, got {head_dim}", fix="give an even head_dim")
        return head_dim

    def _projections(self, features: int) -> dict[str, Dense]:
        head_dim = self._head_dim(features)
        widths = {
            "query": self.num_heads * head_dim,
            "key": self._kv_heads() * head_dim,
            "value": self._kv_heads() * head_dim,
            "out": features,
        }
        return {name: Dense(width, self.use_bias, self.kernel_init) for name, width in widths.items()}
