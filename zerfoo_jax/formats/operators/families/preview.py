"""Operators of the domain in which ONNX tries out new ones."""

from collections.abc import Callable

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.families.attention import scaled_scores, softmax, times_values
from zerfoo_jax.numeric import wide_dtype

DOMAIN = "ai.onnx.preview"

Modifier = Callable[[Array], tuple[Array, ...]]


def FlexAttention(
    q: Array,
    k: Array,
    v: Array,
    *,
    prob_mod: Modifier | None = None,
    scale: float | None = None,
    score_mod: Modifier | None = None,
    softmax_precision: int | None = None,
) -> Array:
    """prob_mod(softmax(score_mod(q kᵀ scale))) v, each (batch, heads, sequence, head size), after torch's flex_attention."""
    if not q.ndim == k.ndim == v.ndim == 4:
        raise FormatError(f"FlexAttention takes four axes, got shapes {q.shape}, {k.shape} and {v.shape}")
    dtype = wide_dtype(q.dtype) if softmax_precision is None else dtype_of(softmax_precision)
    scores = scaled_scores(q, k, scale).astype(dtype)
    if score_mod is not None:
        (scores,) = score_mod(scores)
    weights = softmax(scores)
    if prob_mod is not None:
        (weights,) = prob_mod(weights)
    return times_values(weights, v.astype(dtype)).astype(v.dtype)
