"""The few type names that the whole package shares."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

Array: TypeAlias = jax.Array
Spec: TypeAlias = jax.ShapeDtypeStruct
"""Shape and dtype of an array that need not exist."""
Tree: TypeAlias = Any
"""A pytree of arrays."""
Params: TypeAlias = Mapping[str, Any]
"""Trainable arrays: nested dicts with leaf names `kernel`, `bias`, `scale`, `embedding`."""
State: TypeAlias = Mapping[str, Any]
"""Arrays that change during training but not by gradient, such as running statistics."""
Batch: TypeAlias = Mapping[str, Array]
"""`inputs`, `targets`, and where some examples do not count, `weights`."""


def spec_of(x: Any) -> Spec:
    """Shape and dtype of an array, a tracer or a spec.

    >>> spec_of(jnp.zeros((2, 3)))
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """
    return Spec(jnp.shape(x), jax.dtypes.canonicalize_dtype(x.dtype, allow_extended_dtype=True))


def param_dtype(x: Spec) -> Any:
    """Parameters take their input's floating dtype; integer inputs get float32 parameters."""
    return x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.float32
