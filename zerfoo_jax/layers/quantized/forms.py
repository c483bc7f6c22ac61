"""Which kernels of a model's layers run on codes, and how."""

from collections.abc import Mapping
from typing import Literal

from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.layers.attention.cross_attention import CrossAttention
from zerfoo_jax.layers.attention.multi_head_attention import MultiHeadAttention
from zerfoo_jax.layers.composites.combinators import Stack
from zerfoo_jax.layers.convolutions.convolution import Conv1D, Conv2D, Conv3D
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.feed_forward import FeedForward
from zerfoo_jax.layers.tokens.embedding import Embedding
from zerfoo_jax.layers.tokens.vocabulary import VocabularyHead

Names = tuple[str, ...]

Form = Literal["product", "transposed", "convolution1", "convolution2", "convolution3", "rows"]
"""What a kernel does: x K, x Kᵀ, a convolution over so many axes, or to be looked up in."""

_ATTENTION: Mapping[Names, Form] = {(name, "kernel"): "product" for name in ("query", "key", "value", "out")}

FORMS: dict[type[Layer], Mapping[Names, Form]] = {
    Conv1D: {("kernel",): "convolution1"},
    Conv2D: {("kernel",): "convolution2"},
    Conv3D: {("kernel",): "convolution3"},
    CrossAttention: _ATTENTION,
    Dense: {("kernel",): "product"},
    Embedding: {("embedding",): "rows"},
    FeedForward: {(name, "kernel"): "product" for name in ("down", "gate", "up")},
    MultiHeadAttention: _ATTENTION,
    VocabularyHead: {("kernel",): "transposed"},
}


def runs_on_codes(layer: Layer) -> dict[Names, Form]:
    """The paths, in a layer's parameters, to the kernels that run on codes, and what each does.

    >>> from zerfoo_jax.layers import Sequential
    >>> runs_on_codes(Sequential((Stack(Dense(2), 3), Dense(4))))
    {('stack_0', 'kernel'): 'product', ('dense_0', 'kernel'): 'product'}
    """
    if isinstance(layer, Stack):
        return runs_on_codes(layer.block)
    if isinstance(layer, Composite):
        parts = layer.children().items()
        return {(name, *path): form for name, part in parts for path, form in runs_on_codes(part).items()}
    if isinstance(layer, VocabularyHead) and layer.output == "deferred":
        return {}
    return dict(FORMS.get(type(layer), {}))
