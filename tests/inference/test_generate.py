from dataclasses import dataclass, fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tests.support.layers import random_variables
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.inference import generate
from zerfoo_jax.layers import (
    Dense,
    Embedding,
    FeedForward,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Sequential,
    Stack,
    TiedEmbedding,
    TransformerEncoderBlock,
)
from zerfoo_jax.models import gpt

GPT = gpt(vocab_size=11, num_layers=2, features=8, num_heads=2, hidden_ratio=2)
CONTEXT = 6
PARAMS, STATE = random_variables(GPT, jnp.zeros((1, CONTEXT), jnp.int32), scale=1.0)


run = jax.jit(lambda ids: GPT.apply(PARAMS, STATE, ids))


@dataclass(frozen=True)
class Fixed(Layer):
    """The same logits whatever the tokens."""

    logits: tuple[float, ...]

    def forward(self, params, x):
        return jnp.broadcast_to(jnp.array(self.logits), (*x.shape, len(self.logits)))


@dataclass(frozen=True)
class Successor(Layer):
    """Always answers the last token plus the sum of all before it, modulo ten: sensitive to every token it sees."""

    def forward(self, params, x):
        return jax.nn.one_hot((x + jnp.cumsum(x, axis=1)) % 10, 10)


def by_loop(prompt, count, context):
    """Greedy continuation, the model run anew on the growing prefix."""
    tokens = list(prompt)
    for _ in range(count):
        logits, _ = run(jnp.array([tokens[-context:]]))
        tokens.append(int(np.argmax(logits[0, -1])))
    return tokens[len(prompt) :]


@pytest.mark.parametrize(
    "length",
    [1, 3, 4, 6, 9],
    ids=["one token", "up to the context", "past the context", "full", "prompt longer than the context"],
)
def test_greedy_equals_running_the_model_on_the_growing_prefix(key, length):
    prompt = np.random.default_rng(length).integers(0, 11, length).astype(np.int32)
    tokens = generate(GPT, PARAMS, STATE, jnp.asarray(prompt), 5, key, context=CONTEXT, temperature=0.0)
    assert tokens.dtype == jnp.int32
    assert tokens.tolist() == by_loop(prompt, 5, CONTEXT)


@pytest.mark.parametrize(("length", "context"), [(3, 5), (5, 5), (9, 5), (2, 1)])
def test_the_window_slides_over_exactly_the_last_tokens(key, length, context):
    tokens = list(range(1, length + 1))
    found = generate(Successor(), {}, {}, jnp.array(tokens), 12, key, context=context, temperature=0.0)
    for token in found.tolist():
        seen = tokens[-context:]
        assert token == (seen[-1] + sum(seen)) % 10
        tokens.append(token)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tokens_follow_the_tempered_distribution(key, temperature):
    logits = (0.0, 1.0, -1.0, 2.0, 0.5)
    tokens = generate(Fixed(logits), {}, {}, jnp.array([0]), 4000, key, context=2, temperature=temperature)
    expected = np.exp(np.array(logits) / temperature)
    counts = np.bincount(tokens, minlength=5)
    assert stats.chisquare(counts, 4000 * expected / expected.sum()).pvalue > 1e-3
    # And one after another independent: pairs follow the product.
    pairs = np.bincount(5 * np.asarray(tokens[:-1:2]) + np.asarray(tokens[1::2]), minlength=25)
    product = np.outer(expected, expected).ravel() / expected.sum() ** 2
    assert stats.chisquare(pairs, 2000 * product).pvalue > 1e-3


def test_the_key_decides_and_nothing_else(key):
    def drawn(key):
        return generate(GPT, PARAMS, STATE, jnp.array([1, 2]), 20, key, context=CONTEXT, temperature=3.0).tolist()

    assert drawn(key) == drawn(key) != drawn(jax.random.key(1))


def test_a_low_temperature_is_greedy(key):
    prompt = jnp.array([1, 2, 3])
    cold = generate(GPT, PARAMS, STATE, prompt, 20, key, context=CONTEXT, temperature=1e-6)
    assert cold.tolist() == by_loop([1, 2, 3], 20, CONTEXT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": jnp.zeros((1, 3), jnp.int32)}, "prompt: .*int32.*1, 3"),
        ({"prompt": jnp.zeros(0, jnp.int32)}, "at least one token"),
        ({"prompt": jnp.zeros(3)}, "prompt: .*float32"),
        ({"count": 0}, "count = 0"),
        ({"context": 0}, "context = 0"),
        ({"context": -2}, "context = -2"),
        ({"temperature": -0.1}, r"temperature = -0\.1"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"temperature": float("inf")}, "temperature = inf"),
    ],
)
def test_bad_arguments_are_refused(key, change, words):
    given = {"prompt": jnp.array([1]), "count": 1, "context": 2, "temperature": 1.0} | change
    prompt, count = given.pop("prompt"), given.pop("count")
    with pytest.raises(ConfigError, match=words):
        generate(Fixed((0.0, 1.0)), {}, {}, prompt, count, key, **given)


def unknown_to_be_safe(model):
    """The same model, under a type of which nothing is known: it is read anew for every token."""

    @dataclass(frozen=True)
    class Disguised(type(model)):
        pass

    return Disguised(**{field.name: getattr(model, field.name) for field in fields(model)})


@pytest.mark.parametrize(("length", "count"), [(2, 3), (2, 5), (2, 9), (6, 2), (1, 1)])
def test_the_cache_changes_no_token(key, length, count):
    block = TransformerEncoderBlock(MultiHeadAttention(2, causal=True, alibi=True), FeedForward(5), LayerNorm(), pre_norm=False)
    inner = graph_of({"positions": LearnedPositions(CONTEXT), "blocks": Stack(block, 2), "norm": LayerNorm()})
    model, prompt = TiedEmbedding(11, 8, inner), jnp.arange(length) % 11
    params, state = random_variables(model, jnp.zeros((1, CONTEXT), jnp.int32), scale=1.0)
    found = generate(model, params, state, prompt, count, key, context=CONTEXT, temperature=2.0)
    anew = generate(unknown_to_be_safe(model), params, state, prompt, count, key, context=CONTEXT, temperature=2.0)
    assert found.tolist() == anew.tolist()
    assert len(found) == count


def test_each_token_is_read_once_while_the_text_fits(key, monkeypatch):
    read = []
    apply = Dense.apply

    def spy(self, params, state, x, **mode):
        read.append(x.shape[1])
        return apply(self, params, state, x, **mode)

    monkeypatch.setattr(Dense, "apply", spy)
    model = Sequential((Embedding(11, 8), MultiHeadAttention(2, causal=True), Dense(11)))
    params, state = random_variables(model, jnp.zeros((1, 5), jnp.int32))
    read.clear()
    generate(model, params, state, jnp.array([1, 2, 3]), 4, key, context=6)
    assert set(read) == {3, 1}
    read.clear()
    generate(model, params, state, jnp.array([1, 2, 3]), 5, key, context=6)
    assert set(read) == {6}  # what fits is compiled already
