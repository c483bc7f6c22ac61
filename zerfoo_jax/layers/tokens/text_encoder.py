"""Texts as vectors: one for each token, and one for the whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.types import Tree


@dataclass(frozen=True)
class TextEncoder(Composite):
    """h = blocks(embeddings(ids, ...), mask), and with a `pooler` the pair (h, pooler(h)) (Devlin et al., arXiv 1810.04805).

    Token ids (batch, seq) -> h (batch, seq, features). Optional second input: a mask (batch, seq) of the tokens that may be
    attended to, as bool or as 0 and 1; `blocks` gets it as bool. Further inputs, such as token types, go to `embeddings`.

    Parameters: `embeddings`, `blocks`, `pooler`. Raises `ShapeError` for a mask of another shape.

    >>> import jax, jax.numpy as jnp
    >>> from zerfoo_jax.layers import Embedding, MultiHeadAttention
    >>> encoder, ids = TextEncoder(Embedding(5, 4), MultiHeadAttention(2)), jnp.array([[3, 1, 0]])
    >>> params, state = encoder.init(jax.random.key(0), ids, ids != 0)
    >>> encoder.apply(params, state, ids, ids != 0)[0].shape
    (1, 3, 4)
    """

    embeddings: Layer
    blocks: Layer
    pooler: Layer | None = None

    def children(self) -> Mapping[str, Layer]:
        return {"embeddings": self.embeddings, "blocks": self.blocks} | ({"pooler": self.pooler} if self.pooler else {})

    def connect(self, call: Callable[..., Tree], ids: Any, mask: Any = None, *more: Any) -> Tree:
        expect_axes(ids, "batch seq")
        x = call("embeddings", ids, *more)
        hidden = call("blocks", x) if mask is None else call("blocks", x, _boolean(ids, mask))
        return (hidden, call("pooler", hidden)) if self.pooler else hidden


def _boolean(ids: Any, mask: Any) -> Any:
    if mask.shape != ids.shape:
        raise ShapeError(f"TextEncoder of ids {tuple(ids.shape)} needs a mask of that shape, got {tuple(mask.shape)}")
    return mask.astype(bool)
