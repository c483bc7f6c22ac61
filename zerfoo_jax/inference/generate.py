"""Continuing a text: tokens drawn one after another from a language model, in compiled loops."""

from functools import partial
import math

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State, spec_of
from zerfoo_jax.inference.in_parts import same_in_parts
from zerfoo_jax.layers import start_cache, with_cache


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

    `model` maps token ids (1, seq) to logits (1, seq, vocab), causally, and sees at most the last `context` tokens.

    While the text fits into the context, a model of layers known to give the same outputs in parts (see `same_in_parts`) reads
    the prompt once and then each token once, with keys and values kept. A longer text, or another model, is read anew, the
    whole window, for every token: when the window slides, all positions change. The tokens are the same either way.

    Compiled anew for every length of prompt and count. Raises `ConfigError` for arguments that do not fit.
    """
    if prompt.ndim != 1 or prompt.size == 0 or not jnp.issubdtype(prompt.dtype, jnp.integer):
        raise ConfigError(f"prompt: should be one row of at least one token, got {prompt.dtype}{prompt.shape}")
    for name, value in (("count", count), ("context", context)):
        if value < 1:
            raise ConfigError(f"{name} = {value}: should be at least 1")
    if not 0 <= temperature < math.inf:
        raise ConfigError(f"temperature = {temperature}: should be a number from 0 up")
    text, keys = prompt[-context:].astype(jnp.int32), jax.random.split(key, count)
    drawing = (temperature == 0, jnp.float32(max(temperature, 1e-6)))
    # The context's last token still has a successor; one token alone is not worth a program of its own.
    fitting = min(count, context + 1 - text.size)
    fitting = fitting if fitting > 1 and same_in_parts(model) else 0
    parts = [text]
    if fitting:
        parts.append(_remembering(model, params, state, text, keys[:fitting], *drawing))
    if fitting < count:
        text = jnp.concatenate(parts)[-context:]
        window = jnp.zeros((context,), jnp.int32).at[: text.size].set(text)
        parts.append(_rereading(model, params, state, window, text.size, keys[fitting:], *drawing))
    return jnp.concatenate(parts[1:])


def _draw(logits: Array, key: Array, greedy: bool, temperature: Array) -> Array:
    logits = logits.astype(jnp.float32)
    token = jnp.argmax(logits) if greedy else jax.random.categorical(key, logits / temperature)
    return token.astype(jnp.int32)


@partial(jax.jit, static_argnums=(0, 5))
def _remembering(
    model: Layer, params: Params, state: State, text: Array, keys: Array, greedy: bool, temperature: Array
) -> Array:
    """A token for every key, each read once: `text` and all tokens but the last fit into the cache."""
    model = with_cache(model, text.size + keys.size - 1)

    def read(state: State, tokens: Array, key: Array) -> tuple[Array, State]:
        logits, state = model.apply(params, state, tokens[None], key=None, train=False)
        return _draw(logits[0, -1], key, greedy, temperature), state

    def one(carry: tuple[Array, State], key: Array) -> tuple[tuple[Array, State], Array]:
        token, state = carry
        token, state = read(state, token[None], key)
        return (token, state), token

    first, state = read(start_cache(model, state, spec_of(text[None])), text, keys[0])
    _, others = lax.scan(one, (first, state), keys[1:])
    return jnp.concatenate([first[None], others])


@partial(jax.jit, static_argnums=(0, 6))
def _rereading(
    model: Layer, params: Params, state: State, window: Array, length: Array, keys: Array, greedy: bool, temperature: Array
) -> Array:
    """A token for every key, the whole window read for each. The window's first `length` tokens are there."""

    def one(carry: tuple[Array, Array], key: Array) -> tuple[tuple[Array, Array], Array]:
        window, length = carry
        logits, _ = model.apply(params, state, window[None], key=None, train=False)
        token = _draw(logits[0, length - 1], key, greedy, temperature)
        # Until the window is full the tokens behind `length` are filling; causal attention never sees them.
        full = length == window.size
        window = jnp.where(full, jnp.roll(window, -1), window)
        length = jnp.where(full, length, length + 1)
        return (window.at[length - 1].set(token), length), token

    _, tokens = lax.scan(one, (window, jnp.asarray(length, jnp.int32)), keys)
    return tokens
