"""A decoder-only transformer language model.

What is special: pre-norm blocks; rotary positions, so that any window of a longer text is as good as the first; all blocks in
one `Stack`, so that depth costs neither leaves nor host work.
"""

from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import (
    Activation,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    MultiHeadAttention,
    Residual,
    RotaryPositions,
    Sequential,
    Stack,
)


def gpt(
    *,
    vocab_size: PositiveInt = 256,
    num_layers: PositiveInt = 4,
    features: PositiveInt = 256,
    num_heads: PositiveInt = 4,
    hidden_ratio: PositiveInt = 4,
    dropout: Probability = 0.0,
    unroll: bool = False,
    remat: bool = False,
) -> Sequential:
    """Token ids (batch, seq) to logits of the next token (batch, seq, vocab_size) (Radford et al., 2019; arXiv 2104.09864).

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(gpt(num_layers=2, features=32), Spec((1, 16), "int32")).shape
    (1, 16, 256)
    """
    attention = MultiHeadAttention(num_heads, causal=True, rotary=RotaryPositions())
    feed_forward = (Dense(hidden_ratio * features), Activation("gelu_tanh"), Dense(features))
    regularised: tuple[Layer, ...] = (Dropout(dropout),) if dropout else ()
    block = Sequential(
        (
            Residual(Sequential((LayerNorm(), attention, *regularised))),
            Residual(Sequential((LayerNorm(), *feed_forward, *regularised))),
        )
    )
    return Sequential(
        (
            Embedding(vocab_size, features),
            Stack(block, num_layers, unroll=unroll, remat=remat),
            LayerNorm(),
            Dense(vocab_size, use_bias=False),
        )
    )
