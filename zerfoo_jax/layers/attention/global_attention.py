"""Attention pooling: a sequence as one vector."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.attention.attention import masked_softmax
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.numeric import widened


@dataclass(frozen=True)
class GlobalAttention(Layer):
    """y = Σ_t a_t x_t with a = softmax_t(wᵀ tanh(W x_t + b)): (batch, seq, features) -> (batch, features).

    The additive attention of Bahdanau et al. (arXiv 1409.0473) with a learned query, as pooling over time (Yang et al., 2016,
    "Hierarchical attention networks"). Optional second input: a boolean mask (batch, seq), True for the positions that count; a
    row of which none counts gives zeros.

    Parameters: `hidden` (W, b): `kernel` (features, hidden), `bias` (hidden,); `score` (w): `kernel` (hidden, 1).
    Raises `ShapeError` at `init` for inputs that do not fit.

    >>> params = {"hidden": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}, "score": {"kernel": jnp.zeros((1, 1))}}
    >>> GlobalAttention(1).forward(params, jnp.array([[[1.0], [2.0], [6.0]]])).tolist()
    [[3.0]]
    """

    hidden: PositiveInt

    def init(self, key: Array, x: Spec, mask: Spec | None = None) -> tuple[Params, State]:
        expect_axes(x, "batch seq features")
        expect_floating(x)
        if mask is not None and (mask.shape != x.shape[:2] or mask.dtype != jnp.bool_):
            raise ShapeError(
                f"GlobalAttention needs a boolean mask (batch, seq) = {x.shape[:2]}, got {mask.dtype}{mask.shape}",
                fix="pass e.g. tokens != padding",
            )
        inside = Spec((*x.shape[:2], self.hidden), x.dtype)
        hidden, score = self._parts()
        return {
            "hidden": hidden.init(fold_in_name(key, "hidden"), x)[0],
            "score": score.init(fold_in_name(key, "score"), inside)[0],
        }, {}

    def forward(self, params: Params, x: Array, mask: Array | None = None) -> Array:
        hidden, score = self._parts()
        scores = score.forward(params["score"], jnp.tanh(hidden.forward(params["hidden"], x)))[..., 0]
        weights = masked_softmax(widened(scores), mask).astype(x.dtype)
        return jnp.matmul(weights[:, None, :], x)[:, 0]

    def _parts(self) -> tuple[Dense, Dense]:
        return Dense(self.hidden), Dense(1, use_bias=False)
