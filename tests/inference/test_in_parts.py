from dataclasses import dataclass

import pytest

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.inference.in_parts import same_in_parts
from zerfoo_jax.layers import (
    GRU,
    Add,
    Conv1D,
    CrossAttention,
    Dense,
    Embedding,
    FeedForward,
    LayerNorm,
    MultiHeadAttention,
    Residual,
    RMSNorm,
    RotaryPositions,
    Sequential,
    Stack,
    TransformerEncoderBlock,
)
from zerfoo_jax.models import MODELS, gpt

CAUSAL = MultiHeadAttention(2, causal=True, rotary=RotaryPositions(), qk_norm=RMSNorm())


@dataclass(frozen=True)
class Unknown(Layer):
    """A layer of someone else's."""


@pytest.mark.parametrize(
    "model",
    [
        gpt(),
        MODELS["gpt2"](),
        graph_of({"embedding": Embedding(3, 4), "attention": CAUSAL, "sum": (Add(), "embedding", "attention")}),
        Stack(TransformerEncoderBlock(CAUSAL, FeedForward(3), LayerNorm()), 2),
    ],
    ids=["gpt", "gpt2", "graph", "stack"],
)
def test_known_models_may_read_in_parts(model):
    assert same_in_parts(model)


@pytest.mark.parametrize(
    "layer", [MultiHeadAttention(2), GRU(3), Conv1D(3, 3), CrossAttention(2), Unknown()], ids=lambda layer: type(layer).__name__
)
def test_what_looks_elsewhere_or_is_unknown_may_not(layer):
    for model in (
        layer,
        Residual(layer),
        Stack(layer, 2),
        Sequential((Dense(3), layer)),
        graph_of({"a": Dense(3), "b": layer}),
    ):
        assert not same_in_parts(model)
