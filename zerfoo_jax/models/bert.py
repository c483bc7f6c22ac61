"""BERT (Devlin et al., arXiv 1810.04805).

What is special: every token sees the whole text; norms stand behind the sums, not before the parts; besides a vector for each
token there is one for the whole text, made from the first token's.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.layers import (
    Activation,
    Dense,
    FeedForward,
    FirstToken,
    LayerNorm,
    MultiHeadAttention,
    Sequential,
    Stack,
    TextEncoder,
    TokenEmbeddings,
    TransformerEncoderBlock,
)
from zerfoo_jax.layers.activations.activation import ActivationSpec


@checked
def bert(
    *,
    vocab_size: PositiveInt = 30522,
    max_length: PositiveInt = 512,
    num_token_types: PositiveInt = 2,
    num_layers: PositiveInt = 12,
    features: PositiveInt = 768,
    num_heads: PositiveInt = 12,
    hidden: PositiveInt = 3072,
    activation: ActivationSpec = "gelu",
    epsilon: PositiveFloat = 1e-12,
    dropout: Probability = 0.1,
    unroll: bool = False,
    remat: bool = False,
) -> TextEncoder:
    """Token ids (batch, seq), an optional mask (batch, seq) and optional token types (batch, seq) to the pair
    (hidden states (batch, seq, features), pooled vector (batch, features)), seq at most `max_length`.

    The mask says which tokens count, as 0 and 1 or as bool; the token types say which of two texts a token belongs to, and are
    0 unless given. By default the smaller published size, with 109,482,240 parameters. `dropout` acts, in training, on the
    embeddings, the attention weights and what each part adds.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> ids = Spec((1, 16), "int32")
    >>> [output.shape for output in check(bert(num_layers=2), ids, Spec((1, 16), "bool"), ids)]
    [(1, 16, 768), (1, 768)]
    """
    block = TransformerEncoderBlock(
        MultiHeadAttention(num_heads, dropout=dropout, kernel_init="normal"),
        FeedForward(hidden, activation, kernel_init="normal"),
        LayerNorm(epsilon),
        pre_norm=False,
        dropout=dropout,
    )
    return TextEncoder(
        TokenEmbeddings(vocab_size, features, max_length, num_token_types, epsilon, dropout),
        Stack(block, num_layers, unroll, remat),
        Sequential((FirstToken(), Dense(features, kernel_init="normal"), Activation("tanh"))),
    )
