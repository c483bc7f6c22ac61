"""A decoder-only transformer language model.

What is special: pre-norm blocks; rotary positions, so that any window of a longer text is as good as the first; all blocks in
one `Stack`, so that depth costs neither leaves nor host work.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.layers import (
    Embedding,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    RotaryPositions,
    Sequential,
    Stack,
    TransformerEncoderBlock,
    VocabularyHead,
)
from zerfoo_jax.layers.tokens.vocabulary import Output


@checked
def gpt(
    *,
    vocab_size: PositiveInt = 256,
    num_layers: PositiveInt = 4,
    features: PositiveInt = 256,
    num_heads: PositiveInt = 4,
    hidden_ratio: PositiveInt = 4,
    dropout: Probability = 0.0,
    output: Output = "logits",
    unroll: bool = False,
    remat: bool = False,
) -> Sequential:
    """Token ids (batch, seq) to logits of the next token (batch, seq, vocab_size) (Radford et al., 2019; arXiv 2104.09864).

    `dropout` acts, in training, on what each part of a block adds. `output` "deferred" leaves the scores to the loss, as the
    pair (hidden states, kernel).

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(gpt(num_layers=2, features=32), Spec((1, 16), "int32")).shape
    (1, 16, 256)
    """
    block = TransformerEncoderBlock(
        MultiHeadAttention(num_heads, causal=True, rotary=RotaryPositions()),
        FeedForward(hidden_ratio * features, "gelu_tanh"),
        LayerNorm(),
        dropout=dropout,
    )
    head = VocabularyHead(vocab_size, output=output)
    return Sequential((Embedding(vocab_size, features), Stack(block, num_layers, unroll, remat), LayerNorm(), head))
