"""The mean over a sequence, of what counts in it."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class MaskedMean(Layer):
    """y = Σ_t m_t x_t / Σ_t m_t: (batch, seq, features) and a boolean mask (batch, seq) -> (batch, features).

    Zeros for a row of which nothing counts; what does not count may be NaN. Raises `ShapeError` for a mask of another shape.

    >>> x, mask = jnp.array([[[1.0], [3.0], [jnp.nan]]]), jnp.array([[True, True, False]])
    >>> MaskedMean().forward({}, x, mask).tolist()
    [[2.0]]
    """

    def init(self, key: Array, x: Spec, mask: Spec) -> tuple[Params, State]:
        expect_axes(x, "batch seq features")
        expect_floating(x)
        if mask.shape != x.shape[:2] or mask.dtype != jnp.bool_:
            raise ShapeError(
                f"MaskedMean of {x.shape} needs a boolean mask {x.shape[:2]}, got {mask.dtype}{mask.shape}",
                fix="pass e.g. tokens != padding",
            )
        return {}, {}

    def forward(self, params: Params, x: Array, mask: Array) -> Array:
        total = jnp.sum(jnp.where(mask[..., None], widened(x), 0), axis=1)
        count = jnp.sum(mask, axis=1, keepdims=True).astype(total.dtype)
        return (total / jnp.maximum(count, 1)).astype(x.dtype)
