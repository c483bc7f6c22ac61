"""The vision transformer (Dosovitskiy et al., arXiv 2010.11929).

What is special: an image is a sequence of patches, and a token of no patch gathers what the logits are made of. All blocks
stand in one `Stack`.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    ClassToken,
    Dense,
    Dropout,
    FeedForward,
    FirstToken,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    PatchEmbedding,
    Stack,
    TransformerEncoderBlock,
)
from zerfoo_jax.models.state_dict import CONV, LINEAR, Names, Tensor, leading_ones
from zerfoo_jax.models.torch_names import Entries, fused_attention, kernel_and_bias, scale_and_bias


@checked
def vit(
    *,
    num_classes: PositiveInt = 1000,
    image_size: PositiveInt = 224,
    patch_size: PositiveInt = 16,
    num_layers: PositiveInt = 12,
    features: PositiveInt = 768,
    num_heads: PositiveInt = 12,
    hidden: PositiveInt = 3072,
    dropout: Probability = 0.0,
    epsilon: PositiveFloat = 1e-6,
    unroll: bool = False,
    remat: bool = False,
) -> Graph:
    """Images (batch, image_size, image_size, channels) to logits (batch, num_classes); the defaults are ViT-B/16.

    Smaller images of whole patches go in too. `epsilon` is that of all norms; `hidden` is the width within the feed-forward
    parts; `unroll` and `remat` are those of `Stack`.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> model = vit(num_classes=10, image_size=8, patch_size=2, num_layers=2, features=16, num_heads=2, hidden=32)
    >>> check(model, Spec((1, 8, 8, 1), "float32")).shape
    (1, 10)
    """
    norm = LayerNorm(epsilon=epsilon)
    block = TransformerEncoderBlock(
        MultiHeadAttention(num_heads, dropout=dropout), FeedForward(hidden, "gelu", dropout=dropout), norm, dropout=dropout
    )
    return graph_of(
        {
            "patches": PatchEmbedding(features, patch_size),
            "class_token": ClassToken(),
            "positions": LearnedPositions((image_size // patch_size) ** 2 + 1),
            "dropout": Dropout(dropout),
            "stack_0": Stack(block, num_layers, unroll=unroll, remat=remat),
            "norm": norm,
            "first": FirstToken(),
            "head": Dense(num_classes),
        }
    )


def vit_torch_names(model: Graph) -> Names:
    """torchvision's names."""
    names = {
        **kernel_and_bias("conv_proj", "patches", CONV),
        "class_token": Tensor(("params/class_token/embedding",), leading_ones(2)),
        "encoder.pos_embedding": Tensor(("params/positions/embedding",), leading_ones(1)),
        **scale_and_bias("encoder.ln", "norm"),
        **kernel_and_bias("heads.head", "head", LINEAR),
    }
    for i in range(_depth(model)):
        theirs = f"encoder.layers.encoder_layer_{i}"
        names |= fused_attention(f"{theirs}.self_attention", "stack_0/attention", index=i)
        names |= _block(theirs, i, "ln_1", "ln_2", "mlp.0", "mlp.3")
    return names


def vit_hugging_face_names(model: Graph) -> Names:
    """The names of `ViTForImageClassification` of transformers; its norms have `epsilon` 1e-12 by default."""
    names = {
        **kernel_and_bias("vit.embeddings.patch_embeddings.projection", "patches", CONV),
        "vit.embeddings.cls_token": Tensor(("params/class_token/embedding",), leading_ones(2)),
        "vit.embeddings.position_embeddings": Tensor(("params/positions/embedding",), leading_ones(1)),
        **scale_and_bias("vit.layernorm", "norm"),
        **kernel_and_bias("classifier", "head", LINEAR),
    }
    parts = {"attention.query": "query", "attention.key": "key", "attention.value": "value", "output.dense": "out"}
    for i in range(_depth(model)):
        theirs = f"vit.encoder.layer.{i}"
        for name, part in parts.items():
            names |= kernel_and_bias(f"{theirs}.attention.{name}", f"stack_0/attention/{part}", LINEAR, index=i)
        names |= _block(theirs, i, "layernorm_before", "layernorm_after", "intermediate.dense", "output.dense")
    return names


def _depth(model: Graph) -> int:
    encoder = model.children()["stack_0"]
    assert isinstance(encoder, Stack)
    return encoder.num_layers


def _block(theirs: str, index: int, before: str, after: str, up: str, down: str) -> Entries:
    """The norms and the feed-forward part of one block."""
    return {
        **scale_and_bias(f"{theirs}.{before}", "stack_0/attention_norm", index=index),
        **scale_and_bias(f"{theirs}.{after}", "stack_0/feed_forward_norm", index=index),
        **kernel_and_bias(f"{theirs}.{up}", "stack_0/feed_forward/up", LINEAR, index=index),
        **kernel_and_bias(f"{theirs}.{down}", "stack_0/feed_forward/down", LINEAR, index=index),
    }
