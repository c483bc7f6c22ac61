"""The operators by family: each file holds functions that are named as the operators of the ONNX specification.

A function without a number holds from the first version of its operator on; `Softmax_13` from version 13 on, and what was
before it below. Other names begin with a small letter. See `operators.call` for what a function takes and gives.
"""

from types import ModuleType

from zerfoo_jax.formats.operators.families import (
    activations,
    along_axes,
    arithmetic,
    attention,
    bitwise,
    casts,
    constants,
    control,
    convolutions,
    dropout,
    feature_extraction,
    filling,
    indexing,
    linear_algebra,
    linear_attention,
    logic,
    normalization,
    pooling,
    preview,
    quantization,
    quantized_products,
    random_numbers,
    recurrent,
    reductions,
    selecting,
    sequences,
    shapes,
    slicing,
    texts,
    trigonometry,
)

FAMILIES: tuple[ModuleType, ...] = (
    activations,
    along_axes,
    arithmetic,
    attention,
    bitwise,
    casts,
    constants,
    control,
    convolutions,
    dropout,
    feature_extraction,
    filling,
    indexing,
    linear_algebra,
    linear_attention,
    logic,
    normalization,
    pooling,
    preview,
    quantization,
    quantized_products,
    random_numbers,
    recurrent,
    reductions,
    selecting,
    sequences,
    shapes,
    slicing,
    texts,
    trigonometry,
)
"""Every file of this folder."""
