"""A text as one of several classes, three ways of growing strength and cost."""

from typing import Literal

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    GRU,
    Dense,
    Dropout,
    Embedding,
    FeedForward,
    LayerNorm,
    MaskedMean,
    MultiHeadAttention,
    PaddingMask,
    RotaryPositions,
    Sequential,
    Stack,
    TextLengths,
    TransformerEncoderBlock,
)


@checked
def text_classifier(
    *,
    num_classes: PositiveInt,
    vocab_size: PositiveInt,
    encoder: Literal["gru", "mean", "transformer"] = "gru",
    features: PositiveInt = 64,
    num_layers: PositiveInt = 1,
    num_heads: PositiveInt = 4,
    hidden: PositiveInt = 128,
    dropout: Probability = 0.0,
) -> Graph:
    """Token ids (batch, seq), of which 0 is padding, to logits (batch, num_classes).

    Options:
        encoder: `mean` sees words in no order, as the mean of their vectors (fastText, Joulin et al., arXiv 1607.01759); `gru`
            reads the text from both ends (Cho et al., arXiv 1406.1078); `transformer` lets every word see all others
            (Vaswani et al., arXiv 1706.03762), and takes the mean of what they have become.
        features: width of the words' vectors, and of each direction of the `gru`.
        num_layers: of `gru` or `transformer`.
        num_heads: of `transformer`.
        hidden: width inside the feed-forward parts of `transformer`.
        dropout: in training, on the words' vectors, within the `transformer`, and before the classes.

    What fills up a text changes nothing; a text without a token gives the same logits whatever its length.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(text_classifier(num_classes=2, vocab_size=100), Spec((1, 12), "int32")).shape
    (1, 2)
    """
    embedding = {"embedding": (Sequential((Embedding(vocab_size, features), Dropout(dropout))), "inputs")}
    head = {"dropout": Dropout(dropout), "classes": Dense(num_classes)}
    if encoder == "gru":
        gru = GRU(features, num_layers, bidirectional=True, return_sequences=False)
        return graph_of({"lengths": TextLengths(), **embedding, "gru": (gru, "embedding", "lengths"), **head})
    nodes = {"mask": PaddingMask(), **embedding}
    if encoder == "transformer":
        attention = MultiHeadAttention(num_heads, rotary=RotaryPositions(), dropout=dropout)
        block = TransformerEncoderBlock(attention, FeedForward(hidden), LayerNorm(), dropout=dropout)
        nodes |= {"stack_0": (Stack(block, num_layers), "embedding", "mask"), "norm": LayerNorm()}
    return graph_of({**nodes, "mean": (MaskedMean(), list(nodes)[-1], "mask"), **head})
