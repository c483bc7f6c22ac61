"""Vectors for tokens."""

from dataclasses import dataclass

import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_integer
from zerfoo_jax.core.types import Array, Params, Spec, State, param_dtype
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.layers.quantized.kernel import QuantizedKernel


@dataclass(frozen=True)
class Embedding(Layer):
    """Row `id` of a table for every id: integers (...) -> (..., features).

    An id outside 0 ... vocab_size - 1 gives NaN: compiled code cannot raise, and a NaN is seen where a clamped id is not.

    Parameters: `embedding` (vocab_size, features).

    >>> Embedding(3, 2).forward({"embedding": jnp.arange(6.0).reshape(3, 2)}, jnp.array([2, 0, 3])).tolist()
    [[4.0, 5.0], [0.0, 1.0], [nan, nan]]
    """

    vocab_size: PositiveInt
    features: PositiveInt
    embedding_init: InitializerSpec = "normal"

    def init(self, key: Array, ids: Spec) -> tuple[Params, State]:
        expect_integer(ids)
        return {"embedding": initialize(self.embedding_init, key, (self.vocab_size, self.features), param_dtype(ids))}, {}

    def forward(self, params: Params, ids: Array) -> Array:
        table = params["embedding"]
        if isinstance(table, QuantizedKernel):
            return table.rows_of(ids)
        return jnp.asarray(table).at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
