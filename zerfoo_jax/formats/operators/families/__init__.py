"""The operators by family: each file holds functions that are named as the operators of the ONNX specification.

A function without a number holds from the first version of its operator on; `Softmax_13` from version 13 on, and what was
before it below. Other names begin with a small letter. See `operators.call` for what a function takes and gives.
"""

from types import ModuleType

from zerfoo_jax.formats.operators.families import (
    activations,
    constants,
    control,
    convolutions,
    dropout,
    normalization,
    pooling,
    sequences,
)

FAMILIES: tuple[ModuleType, ...] = (
    activations,
    constants,
    control,
    convolutions,
    dropout,
    normalization,
    pooling,
    sequences,
)
"""Every file of this folder."""
