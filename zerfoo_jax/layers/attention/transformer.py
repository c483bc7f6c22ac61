"""Transformer blocks: attention and feed-forward around shortcuts. What kind of each, and of norm, is given as layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.layers.noise.dropout import Dropout

Call = Callable[..., Tree]


@dataclass(frozen=True)
class TransformerEncoderBlock(Composite):
    """x + attention(norm(x)), then x + feed_forward(norm(x)): (batch, seq, features) -> the same (arXiv 2002.04745).

    Without `pre_norm`, norm(x + attention(x)) and norm(x + feed_forward(x)), as in Vaswani et al. (arXiv 1706.03762) and BERT.
    Optional second input: the mask of `attention`. With a causal attention this is the block of GPT-2 and Llama. `dropout` acts
    on what either part adds to its shortcut, in training. In a `Stack`, one mask serves all blocks: Stack(block, n) takes
    (x, mask).

    Parameters: `attention`, `feed_forward` and, each of the kind `norm`, `attention_norm`, `feed_forward_norm`.
    Raises `ShapeError` where a part changes the shape.

    >>> import jax
    >>> from zerfoo_jax.layers import FeedForward, MultiHeadAttention, RMSNorm
    >>> block = TransformerEncoderBlock(MultiHeadAttention(2, causal=True), FeedForward(8, "silu", gated=True), RMSNorm())
    >>> params, state = block.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3, 4), "float32"))
    >>> sorted(params)
    ['attention', 'attention_norm', 'feed_forward', 'feed_forward_norm']
    """

    attention: Layer
    feed_forward: Layer
    norm: Layer
    pre_norm: bool = True
    dropout: Probability = 0.0

    def children(self) -> Mapping[str, Layer]:
        return _around(self, {"attention": self.attention, "feed_forward": self.feed_forward})

    def connect(self, call: Call, x: Any, mask: Any = None) -> Tree:
        x = _add(self, call, "attention", x, mask)
        return _add(self, call, "feed_forward", x)


@dataclass(frozen=True)
class TransformerDecoderBlock(Composite):
    """As `TransformerEncoderBlock`, with attention to a second sequence between the two parts (arXiv 1706.03762).

    Inputs: x (batch, seq, features), memory (batch, memory_seq, memory_features) and, optional, the masks of `cross_attention`
    and of `attention`, in this order.

    Parameters: `attention`, `cross_attention`, `feed_forward` and, each of the kind `norm`, `attention_norm`,
    `cross_attention_norm`, `feed_forward_norm`. Raises `ShapeError` where a part changes the shape.

    >>> import jax
    >>> from zerfoo_jax.layers import CrossAttention, FeedForward, LayerNorm, MultiHeadAttention
    >>> block = TransformerDecoderBlock(MultiHeadAttention(2, causal=True), CrossAttention(2), FeedForward(8), LayerNorm())
    >>> x, memory = jax.ShapeDtypeStruct((1, 3, 4), "float32"), jax.ShapeDtypeStruct((1, 5, 6), "float32")
    >>> params, state = block.init(jax.random.key(0), x, memory)
    >>> params["cross_attention"]["value"]["kernel"].shape
    (6, 4)
    """

    attention: Layer
    cross_attention: Layer
    feed_forward: Layer
    norm: Layer
    pre_norm: bool = True
    dropout: Probability = 0.0

    def children(self) -> Mapping[str, Layer]:
        parts = {"attention": self.attention, "cross_attention": self.cross_attention, "feed_forward": self.feed_forward}
        return _around(self, parts)

    def connect(self, call: Call, x: Any, memory: Any, memory_mask: Any = None, mask: Any = None) -> Tree:
        x = _add(self, call, "attention", x, mask)
        x = _add(self, call, "cross_attention", x, memory, memory_mask)
        return _add(self, call, "feed_forward", x)


class _Block(Protocol):
    @property
    def norm(self) -> Layer: ...
    @property
    def pre_norm(self) -> bool: ...
    @property
    def dropout(self) -> float: ...


def _around(block: _Block, parts: Mapping[str, Layer]) -> Mapping[str, Layer]:
    """The parts, each with a norm and, where there is any, dropout of its own."""
    named: dict[str, Layer] = {}
    for name, part in parts.items():
        named |= {name: part, f"{name}_norm": block.norm}
        named |= {f"{name}_dropout": Dropout(block.dropout)} if block.dropout else {}
    return named


def _add(block: _Block, call: Call, name: str, x: Array, *more: Array | None) -> Array:
    """x plus what the part makes of it and of those further inputs that there are, normalised before the part or behind."""
    y = call(name, call(f"{name}_norm", x) if block.pre_norm else x, *(extra for extra in more if extra is not None))
    y = call(f"{name}_dropout", y) if block.dropout else y
    expect_same_shape(f"the shortcut around {name}", x, y)
    return x + y if block.pre_norm else call(f"{name}_norm", x + y)
