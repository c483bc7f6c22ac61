"""Which models may read a text in parts."""

from dataclasses import fields, is_dataclass
from typing import Any

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph import Graph
from zerfoo_jax.layers import (
    Activation,
    Add,
    Dense,
    Dropout,
    Embedding,
    FeedForward,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    PReLU,
    Residual,
    RMSNorm,
    RotaryPositions,
    Sequential,
    SinusoidalPositions,
    Stack,
    TiedEmbedding,
    TransformerEncoderBlock,
    VocabularyHead,
)

_SAFE = (
    *(
        Activation,
        Add,
        Dense,
        Dropout,
        Embedding,
        FeedForward,
        LayerNorm,
        PReLU,
        RMSNorm,
        VocabularyHead,
    ),  # each position alone
    *(LearnedPositions, RotaryPositions, SinusoidalPositions),  # these count
    *(Graph, Residual, Sequential, Stack, TiedEmbedding, TransformerEncoderBlock),  # as their parts
)


def same_in_parts(value: Any) -> bool:
    """Whether a model, made to remember by `with_cache`, is known to give the same outputs in parts as for the whole text.

    Known are causal `MultiHeadAttention`s, layers that look at each position alone, and what is made of these.

    >>> same_in_parts(Sequential((Embedding(3, 4), MultiHeadAttention(2, causal=True))))
    True
    >>> same_in_parts(MultiHeadAttention(2))
    False
    """
    if isinstance(value, tuple):
        return all(map(same_in_parts, value))
    if not is_dataclass(value):
        return True
    known = value.causal if isinstance(value, MultiHeadAttention) else type(value) in _SAFE or not isinstance(value, Layer)
    return known and all(same_in_parts(getattr(value, field.name)) for field in fields(value))
