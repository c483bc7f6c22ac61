"""Continuing a text: tokens drawn one after another from a language model, in one compiled loop."""

from functools import partial
import math

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State


def generate(
    model: Layer,
    params: Params,
    state: State,
    prompt: Array,
    count: int,
    key: Array,
    *,
    context: int,
    temperature: float = 1.0,
) -> Array:
    """`count` tokens that follow `prompt` (seq,), drawn from softmax(logits / temperature); temperature 0 takes the likeliest.

    `model` maps token ids (1, seq) to logits (1, seq, vocab), causally, and sees at most the last `context` tokens. Raises
    `ConfigError` for arguments that do not fit.
    """
    if prompt.ndim != 1 or prompt.size == 0 or not jnp.issubdtype(prompt.dtype, jnp.integer):
        raise ConfigError(f"prompt: should be one row of at least one token, got {prompt.dtype}{prompt.shape}")
    for name, value in (("count", count), ("context", context)):
        if value < 1:
            raise ConfigError(f"{name} = {value}: should be at least 1")
    if not 0 <= temperature < math.inf:
        raise ConfigError(f"temperature = {temperature}: should be a number from 0 up")
    known = prompt[-context:].astype(jnp.int32)
    window = jnp.zeros((context,), jnp.int32).at[: known.size].set(known)
    return _generate(model, count, temperature == 0, params, state, window, known.size, key, max(temperature, 1e-6))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _generate(
    model: Layer,
    count: int,
    greedy: bool,
    params: Params,
    state: State,
    window: Array,
    length: Array,
    key: Array,
    temperature: Array,
) -> Array:
    def one(carry: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], Array]:
        window, length = carry
        logits, _ = model.apply(params, state, window[None], key=None, train=False)
        last = logits[0, length - 1].astype(jnp.float32)
        token = jnp.argmax(last) if greedy else jax.random.categorical(key, last / temperature)
        token = token.astype(jnp.int32)
        # Until the window is full the tokens behind `length` are filling; causal attention never sees them.
        full = length == window.size
        window = jnp.where(full, jnp.roll(window, -1), window)
        length = jnp.where(full, length, length + 1)
        return (window.at[length - 1].set(token), length), token

    _, tokens = lax.scan(one, (window, jnp.asarray(length, jnp.int32)), jax.random.split(key, count))
    return tokens
