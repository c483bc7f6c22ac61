"""GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019).

What is special: pre-norm blocks, learned positions, and one table for reading tokens and for scoring them.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.layers import (
    Dropout,
    FeedForward,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Sequential,
    Stack,
    TiedEmbedding,
    TransformerEncoderBlock,
)
from zerfoo_jax.layers.activations.activation import ActivationSpec
from zerfoo_jax.layers.tokens.vocabulary import Output


@checked
def gpt2(
    *,
    vocab_size: PositiveInt = 50257,
    max_length: PositiveInt = 1024,
    num_layers: PositiveInt = 12,
    features: PositiveInt = 768,
    num_heads: PositiveInt = 12,
    hidden: PositiveInt = 3072,
    activation: ActivationSpec = "gelu_tanh",
    epsilon: PositiveFloat = 1e-5,
    dropout: Probability = 0.1,
    output: Output = "logits",
    unroll: bool = False,
    remat: bool = False,
) -> TiedEmbedding:
    """Token ids (batch, seq) to logits of the next token (batch, seq, vocab_size), seq at most `max_length`.

    By default the smallest of the four published sizes, with 124,439,808 parameters. `hidden` is the width inside the
    feed-forward parts. `dropout` acts, in training, on the embeddings, the attention weights and what each part adds. `output`
    "deferred" leaves the scores to the loss, as the pair (hidden states, embedding table).

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(gpt2(num_layers=2, features=32, num_heads=2, hidden=64), Spec((1, 16), "int32")).shape
    (1, 16, 50257)
    """
    block = TransformerEncoderBlock(
        MultiHeadAttention(num_heads, causal=True, dropout=dropout, kernel_init="normal"),
        FeedForward(hidden, activation, kernel_init="normal"),
        LayerNorm(epsilon),
        dropout=dropout,
    )
    inner = (LearnedPositions(max_length), Dropout(dropout), Stack(block, num_layers, unroll, remat), LayerNorm(epsilon))
    return TiedEmbedding(vocab_size, features, Sequential(inner), output=output)
