"""Where a batch of texts holds tokens, and where it is filled up."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_integer
from zerfoo_jax.core.types import Array, Params, Spec, State


@dataclass(frozen=True)
class _OfTexts(Layer):
    """Of token ids (batch, seq), among which `padding` is no token."""

    padding: int = 0

    def init(self, key: Array, ids: Spec) -> tuple[Params, State]:
        expect_axes(ids, "batch seq")
        expect_integer(ids)
        return {}, {}


@dataclass(frozen=True)
class PaddingMask(_OfTexts):
    """ids != padding: token ids (batch, seq) -> bool (batch, seq), as attention and `MaskedMean` take it.

    >>> PaddingMask().forward({}, jnp.array([[7, 2, 0]])).tolist()
    [[True, True, False]]
    """

    def forward(self, params: Params, ids: Array) -> Array:
        return ids != self.padding


@dataclass(frozen=True)
class TextLengths(_OfTexts):
    """How many positions there are up to each text's last token: token ids (batch, seq) -> int32 (batch,), as recurrent layers
    take it.

    >>> TextLengths().forward({}, jnp.array([[7, 2, 0], [7, 0, 2], [0, 0, 0]])).tolist()
    [2, 3, 0]
    """

    def forward(self, params: Params, ids: Array) -> Array:
        ends = jnp.arange(1, ids.shape[1] + 1, dtype=jnp.int32)[None]
        return jnp.max(jnp.where(ids != self.padding, ends, 0), axis=1, initial=0)
