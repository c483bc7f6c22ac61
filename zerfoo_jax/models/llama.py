"""Llama (Touvron et al., arXiv 2302.13971) and the models of its build.

What is special: root-mean-square norms before each part, rotary positions, keys and values shared by groups of heads, and gated
feed-forward parts. By their arguments also Mistral (arXiv 2310.06825) with a sliding window, Qwen2 (arXiv 2407.10671) with
biases of queries, keys and values, Qwen3 (arXiv 2505.09388) with norms of queries and keys, and Gemma (arXiv 2403.08295) with
tied, scaled embeddings, a head_dim of its own and gates of gelu.
"""

from typing import Literal

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import (
    Embedding,
    FeedForward,
    MultiHeadAttention,
    RMSNorm,
    RotaryPositions,
    Sequential,
    Stack,
    TiedEmbedding,
    TransformerEncoderBlock,
    VocabularyHead,
)
from zerfoo_jax.layers.activations.activation import ActivationSpec
from zerfoo_jax.layers.attention.rotary_scaling import RotaryScalingSpec
from zerfoo_jax.layers.tokens.vocabulary import Output


@checked
def llama(
    *,
    vocab_size: PositiveInt = 32000,
    num_layers: PositiveInt = 22,
    features: PositiveInt = 2048,
    num_heads: PositiveInt = 32,
    num_kv_heads: PositiveInt | None = None,
    head_dim: PositiveInt | None = None,
    hidden: PositiveInt = 5632,
    activation: ActivationSpec = "silu",
    epsilon: PositiveFloat = 1e-6,
    attention_bias: Literal["none", "inputs", "all"] = "none",
    qk_norm: bool = False,
    sliding_window: PositiveInt | None = None,
    rotary_base: PositiveFloat = 10000.0,
    rotary_scaling: RotaryScalingSpec | None = None,
    tied: bool = False,
    scale_inputs: bool = False,
    dropout: Probability = 0.0,
    output: Output = "logits",
    unroll: bool = False,
    remat: bool = False,
) -> Layer:
    """Token ids (batch, seq) to logits of the next token (batch, seq, vocab_size).

    Options:
        num_kv_heads: key and value heads, each shared by num_heads / num_kv_heads query heads; by default as many.
        head_dim: width of a head; features / num_heads unless given.
        hidden: width inside the feed-forward parts.
        attention_bias: of no projection, of queries, keys and values ("inputs", Qwen2), or of the output projection too.
        qk_norm: normalises each head's queries and keys (Qwen3).
        sliding_window: how many tokens a token sees, itself included (Mistral).
        rotary_scaling: for longer texts than those of the training, e.g. `{name: llama3, factor: 8.0, ...}`.
        tied: one table for reading tokens and for scoring them.
        scale_inputs: multiplies the embeddings by √features; needs `tied` (Gemma).
        dropout: in training, on the attention weights and on what each part adds.
        output: "deferred" leaves the scores to the loss, as the pair (hidden states, kernel).

    Raises `ConfigError` for numbers of heads that do not divide, and for `scale_inputs` without `tied`.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(llama(num_layers=2, features=32, num_heads=4, num_kv_heads=2, hidden=64), Spec((1, 16), "int32")).shape
    (1, 16, 32000)
    """
    if scale_inputs and not tied:
        raise ConfigError("llama.scale_inputs = True needs tied = True", fix="set tied: true, or leave out scale_inputs")
    attention = MultiHeadAttention(
        num_heads,
        num_kv_heads,
        head_dim,
        use_bias=attention_bias != "none",
        out_bias=attention_bias == "all",
        qk_norm=RMSNorm(epsilon) if qk_norm else None,
        dropout=dropout,
        kernel_init="normal",
        causal=True,
        sliding_window=sliding_window,
        rotary=RotaryPositions(rotary_base, scaling=rotary_scaling),
    )
    feed_forward = FeedForward(hidden, activation, gated=True, use_bias=False, kernel_init="normal")
    block = TransformerEncoderBlock(attention, feed_forward, RMSNorm(epsilon), dropout=dropout)
    blocks = (Stack(block, num_layers, unroll, remat), RMSNorm(epsilon))
    if tied:
        return TiedEmbedding(vocab_size, features, Sequential(blocks), scale_inputs, output)
    head = VocabularyHead(vocab_size, output=output, kernel_init="normal")
    return Sequential((Embedding(vocab_size, features), *blocks, head))
