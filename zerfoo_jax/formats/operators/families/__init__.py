"""The operators by family: each file holds functions that are named as the operators of the ONNX specification.

A function without a number holds from the first version of its operator on; `Softmax_13` from version 13 on, and what was
before it below. Other names begin with a small letter. See `operators.call` for what a function takes and gives.
"""

from types import ModuleType

from zerfoo_jax.formats.operators.families import (
    activations,
    attention,
    constants,
    control,
    convolutions,
    dropout,
    linear_attention,
    normalization,
    pooling,
    preview,
    recurrent,
    sequences,
)

FAMILIES: tuple[ModuleType, ...] = (
    activations,
    attention,
    constants,
    control,
    convolutions,
    dropout,
    linear_attention,
    normalization,
    pooling,
    preview,
    recurrent,
    sequences,
)
"""Every file of this folder."""
