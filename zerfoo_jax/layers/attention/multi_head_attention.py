"""Multi-head attention of a sequence to itself, whole or token by token."""

from dataclasses import dataclass

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.attention.attention import dot_product_attention
from zerfoo_jax.layers.attention.attention_heads import AttentionHeads
from zerfoo_jax.layers.attention.masks import expect_mask
from zerfoo_jax.layers.attention.rotary import RotaryPositions


@dataclass(frozen=True)
class MultiHeadAttention(AttentionHeads):
    """Self-attention: (batch, seq, features) -> (batch, seq, features) (Vaswani et al., arXiv 1706.03762).

    Optional second input: a mask, boolean (True = may attend) or floating (added to the scores, -inf forbids), broadcastable to
    (batch, heads, seq, seq), or (batch, seq) for padding. A query that may attend to nothing gets zeros from every head.

    `num_kv_heads` below `num_heads` is grouped-query attention; `head_dim` is features / num_heads unless given. `out_bias` is
    `use_bias` unless given. `qk_norm` normalises queries and keys of every head (e.g. `RMSNorm`; Henry et al., arXiv
    2010.04245), then `rotary` (a `RotaryPositions`) turns them by their position. `causal` forbids what comes later, and
    `sliding_window` what is that many positions away or more; `alibi` lowers scores with distance, see `alibi_bias`. `dropout`
    acts on the attention weights in training.

    With `cache_length` (see `with_cache`) a causal attention continues what it saw in earlier calls: outside training, keys and
    values are written into the state behind those before, and queries attend to all. The sequences are then any next part of
    the text, and a mask is about cache_length keys. Past the end of the cache the outputs are NaN.

    Parameters: `query`, `key`, `value` with `kernel` (features, heads · head_dim) and `bias`, and `out` back to features; with
    `qk_norm` `query_norm` and `key_norm`. State with `cache_length`: `key`, `value` (batch, cache_length, kv_heads, head_dim)
    and `position` (int32), how many are written.
    Raises `ConfigError` where heads do not divide or a cache is not causal, `ShapeError` at `init` where the inputs do not fit.

    >>> import jax
    >>> layer = MultiHeadAttention(2, causal=True)
    >>> params, state = layer.init(jax.random.key(0), Spec((1, 3, 8), jnp.float32))
    >>> layer.apply(params, state, jnp.ones((1, 3, 8)))[0].shape
    (1, 3, 8)
    """

    causal: bool = False
    sliding_window: PositiveInt | None = None
    rotary: RotaryPositions | None = None
    alibi: bool = False
    cache_length: PositiveInt | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cache_length and not self.causal:
            raise ConfigError(
                f"MultiHeadAttention.cache_length = {self.cache_length} needs causal = True: tokens cannot see later ones",
                fix="set causal=True, or leave out cache_length",
            )

    def init(self, key: Array, x: Spec, mask: Spec | None = None) -> tuple[Params, State]:
        params = self.init_heads(key, x, x)
        (batch, seq), head_dim = x.shape[:2], self.width(x.shape[-1])
        if self.rotary:
            self.rotary.init(key, Spec((batch, seq, self.num_heads, head_dim), x.dtype))
        if mask is not None:
            expect_mask(mask, (batch, self.num_heads, seq, self.cache_length or seq))
        if not self.cache_length:
            return params, {}
        empty = jnp.zeros((batch, self.cache_length, self.kv_heads, head_dim), x.dtype)
        return params, {"key": empty, "value": empty, "position": jnp.zeros((), jnp.int32)}

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
        seq, features = x.shape[1:]
        caches = self.cache_length is not None and not train
        q, k, v = (self.split(params, name, x, features) for name in ("query", "key", "value"))
        offset = state["position"] if caches else None
        if self.rotary:
            positions = jnp.arange(seq) if offset is None else jnp.arange(seq) + offset
            q, k = self.rotary.forward({}, q, positions), self.rotary.forward({}, k, positions)
        if caches:
            state = _advance(state, k, v)
            k, v = state["key"].astype(x.dtype), state["value"].astype(x.dtype)
        y = dot_product_attention(
            q,
            k,
            v,
            mask,
            causal=self.causal,
            sliding_window=self.sliding_window,
            alibi=self.alibi,
            offset=offset,
            dropout=self.dropout if train else 0.0,
            dropout_key=key,
        )
        y = self.join(params, y, features)
        return (_nan_past_the_end(y, state) if caches else y), state


def _advance(state: State, key: Array, value: Array) -> State:
    """The cache with further keys and values behind those that it holds."""
    seq, length = key.shape[1], state["key"].shape[1]
    if seq > length:
        raise ShapeError(f"MultiHeadAttention got {seq} tokens at once, over cache_length = {length}", fix="use a longer cache")

    def write(name: str, x: Array) -> Array:
        return lax.dynamic_update_slice_in_dim(state[name], x.astype(state[name].dtype), state["position"], axis=1)

    return {"key": write("key", key), "value": write("value", value), "position": state["position"] + seq}


def _nan_past_the_end(y: Array, state: State) -> Array:
    # Compiled code cannot raise, and the write has been moved back over older keys: nothing that follows may be believed.
    return jnp.where(state["position"] > state["key"].shape[1], jnp.full_like(y, jnp.nan), y)
