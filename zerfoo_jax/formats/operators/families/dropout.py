"""Dropout (Srivastava et al., 2014), in all its versions."""

import jax
import jax.numpy as jnp

from zerfoo_jax.core.types import Array
from zerfoo_jax.formats.operators.known import Known
from zerfoo_jax.layers.noise.dropout import expect_key


def Dropout(
    x: Array, *, ratio: float = 0.5, is_test: int = 0, train: bool = False, key: Array | None = None
) -> tuple[Array, Array]:
    """In training, x with each element zeroed with probability `ratio`, the others divided by 1 - ratio; and what was kept."""
    y, kept = _dropped(x, ratio, key, train and not is_test)
    return y, kept.astype(x.dtype)


def Dropout_10(x: Array, *, ratio: float = 0.5, train: bool = False, key: Array | None = None) -> tuple[Array, Array]:
    """As before, and what was kept is boolean."""
    return _dropped(x, ratio, key, train)


def Dropout_12(
    x: Array,
    ratio: Known | None = None,
    training_mode: Known | None = None,
    *,
    seed: int = 0,
    train: bool = False,
    key: Array | None = None,
) -> tuple[Array, Array]:
    """As before, where the file asks for it by `training_mode` too. A model that is not being trained drops nothing.

    `seed` tells apart nodes that run with one key.
    """
    amount = 0.5 if ratio is None else float(ratio.reshape(()))
    wanted = train and training_mode is not None and bool(training_mode.reshape(()))
    return _dropped(x, amount, None if key is None else jax.random.fold_in(key, seed % 2**32), wanted)


def _dropped(x: Array, ratio: float, key: Array | None, train: bool) -> tuple[Array, Array]:
    """The output and where elements were kept."""
    if not train or ratio == 0:
        return x, jnp.ones(x.shape, jnp.bool_)
    kept = jax.random.bernoulli(expect_key(key, ratio), 1 - ratio, x.shape)
    return jnp.where(kept, x / (1 - ratio if ratio < 1 else 1), jnp.zeros((), x.dtype)), kept
