"""The operator of the domain `ai.onnx.ml` that picks features."""

from typing import Any

import jax.numpy as jnp

from zerfoo_jax.formats.operators.arrays import namespace

DOMAIN = "ai.onnx.ml"


def ArrayFeatureExtractor(X: Any, Y: Any) -> Any:
    """The columns of X, along its last axis, that Y names; a vector counts as one row."""
    columns = Y.reshape(-1)
    picked = X[..., columns] if namespace(X) is not jnp else jnp.asarray(X)[..., jnp.asarray(columns)]
    return picked.reshape((1, -1)) if X.ndim == 1 else picked
