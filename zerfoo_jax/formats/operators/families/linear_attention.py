"""Attention without a softmax: a state per head that is read by queries and written by keys and values."""

from collections.abc import Callable
import math

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened

RULES = {"linear": (False, False), "gated": (True, False), "delta": (False, True), "gated_delta": (True, True)}
"""By its name, whether a rule lets the state decay and whether it corrects what the state holds."""


def LinearAttention(
    query: Array,
    key: Array,
    value: Array,
    past_state: Array | None = None,
    decay: Array | None = None,
    beta: Array | None = None,
    *,
    kv_num_heads: int,
    q_num_heads: int,
    chunk_size: int = 64,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
) -> tuple[Array, Array]:
    """o_t = scale · q_t S_t for (batch, length, heads · size), and the last state (batch, heads, key size, value size).

    S_t = exp(g_t) S_{t-1} + k_t ⊗ v_t with decay g, or with the delta rule + β_t k_t ⊗ (v_t - exp(g_t) S_{t-1}ᵀ k_t); without
    decay g = 0. Yang et al., arXiv 2412.06464.
    """
    del chunk_size
    if update_rule not in RULES:
        raise FormatError(f"LinearAttention has no update_rule {update_rule!r}", fix=f"known: {', '.join(RULES)}")
    gated, corrected = RULES[update_rule]
    if gated != (decay is not None) or corrected != (beta is not None):
        raise FormatError(f"the update rule {update_rule!r} does not go with the inputs decay and beta that are there")
    batch, length, _ = query.shape
    q, k, v = _by_time(query, q_num_heads), _by_time(key, kv_num_heads), _by_time(value, kv_num_heads)
    if q_num_heads % kv_num_heads or q.shape[-1] != k.shape[-1]:
        raise ShapeError(f"{q_num_heads} heads of {q.shape[-1]} cannot share {kv_num_heads} of {k.shape[-1]}")
    q = q.reshape(length, batch, kv_num_heads, q_num_heads // kv_num_heads, q.shape[-1])
    factors = jnp.exp(_by_time(decay, kv_num_heads)) if decay is not None else jnp.ones((length, 1, 1, 1), q.dtype)
    rates = _by_time(beta, beta.shape[-1]) if beta is not None else jnp.ones((length, 1, 1, 1), q.dtype)
    shape = (batch, kv_num_heads, k.shape[-1], v.shape[-1])
    state = jnp.zeros(shape, q.dtype) if past_state is None else widened(past_state)
    state, y = lax.scan(_step(corrected), state, (q, k, v, factors, rates))
    y = jnp.moveaxis(y, 0, 1).reshape(batch, length, q_num_heads * v.shape[-1]) * (scale or 1 / math.sqrt(q.shape[-1]))
    return y.astype(query.dtype), state.astype(query.dtype if past_state is None else past_state.dtype)


def _step(corrected: bool) -> Callable[[Array, tuple[Array, ...]], tuple[Array, Array]]:
    """One position: the state after it, and what its queries read, (batch, heads, queries per head, value size)."""

    def step(state: Array, now: tuple[Array, ...]) -> tuple[Array, Array]:
        q, k, v, factor, rate = now
        state = state * factor[..., None]
        if corrected:
            v = rate * (v - jnp.einsum("bhdm,bhd->bhm", state, k))
        state = state + k[..., :, None] * v[..., None, :]
        return state, jnp.einsum("bhgd,bhdm->bhgm", q, state)

    return step


def _by_time(x: Array, heads: int) -> Array:
    """(batch, length, heads · size) -> (length, batch, heads, size), in float32 or wider."""
    if heads < 1 or x.ndim != 3 or x.shape[2] % heads:
        raise ShapeError(f"the last of three axes of {tuple(x.shape)} does not fall into {heads} heads")
    x = widened(jnp.asarray(x))
    return jnp.moveaxis(x.reshape(*x.shape[:2], heads, x.shape[2] // heads), 1, 0)
