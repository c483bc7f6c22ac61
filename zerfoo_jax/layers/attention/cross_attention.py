"""Multi-head attention of one sequence to another."""

from dataclasses import dataclass

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.attention.attention import dot_product_attention
from zerfoo_jax.layers.attention.attention_heads import AttentionHeads
from zerfoo_jax.layers.attention.masks import expect_mask


@dataclass(frozen=True)
class CrossAttention(AttentionHeads):
    """Queries from x, keys and values from memory (Vaswani et al., arXiv 1706.03762), such as an encoder's output.

    Inputs: x (batch, seq, features), memory (batch, memory_seq, memory_features) and, optional, a mask about memory's
    positions: broadcastable to (batch, heads, seq, memory_seq), or (batch, memory_seq) for padding. Output: (batch, seq,
    features). Mask and fields as in `MultiHeadAttention`.

    Parameters: `query` with `kernel` (features, heads · head_dim) and `bias`; `key` and `value`, from memory_features; `out`
    back to features; with `qk_norm` `query_norm` and `key_norm`.
    Raises `ConfigError` where heads do not divide, `ShapeError` at `init` where the inputs do not fit.

    >>> import jax
    >>> layer, x, memory = CrossAttention(2), Spec((1, 3, 8), "float32"), Spec((1, 5, 6), "float32")
    >>> jax.eval_shape(layer.init, jax.random.key(0), x, memory)[0]["key"]["kernel"].shape
    (6, 8)
    """

    def init(self, key: Array, x: Spec, memory: Spec, mask: Spec | None = None) -> tuple[Params, State]:
        params = self.init_heads(key, x, memory)
        if x.shape[0] != memory.shape[0] or x.dtype != memory.dtype:
            raise ShapeError(
                f"CrossAttention needs x and memory of one batch and dtype, got {x.dtype}{x.shape} and "
                f"{memory.dtype}{memory.shape}"
            )
        if mask is not None:
            expect_mask(mask, (x.shape[0], self.num_heads, x.shape[1], memory.shape[1]))
        return params, {}

    def apply(
        self,
        params: Params,
        state: State,
        x: Array,
        memory: Array,
        mask: Array | None = None,
        *,
        key: Array | None = None,
        train: bool = False,
    ) -> tuple[Array, State]:
        features = x.shape[-1]
        q = self.split(params, "query", x, features)
        k, v = (self.split(params, name, memory, features) for name in ("key", "value"))
        y = dot_product_attention(q, k, v, mask, dropout=self.dropout if train else 0.0, dropout_key=key)
        return self.join(params, y, features), state
