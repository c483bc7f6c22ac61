import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    Add,
    BatchNorm,
    CrossAttention,
    Dense,
    FeedForward,
    LayerNorm,
    LearnedPositions,
    MultiHeadAttention,
    Residual,
    RMSNorm,
    RotaryPositions,
    Sequential,
    SinusoidalPositions,
    Stack,
    TiedEmbedding,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
    start_cache,
    with_cache,
)

CAUSAL = MultiHeadAttention(2, causal=True)
GROUPED = MultiHeadAttention(
    4, 2, head_dim=6, qk_norm=RMSNorm(), causal=True, sliding_window=3, rotary=RotaryPositions(50.0, "interleaved", 4)
)
BLOCK = TransformerEncoderBlock(GROUPED, FeedForward(5, "silu", gated=True), RMSNorm())
MODELS = {
    "one attention": CAUSAL,
    "ALiBi": MultiHeadAttention(3, head_dim=2, causal=True, alibi=True),
    "a stack behind learned positions": Sequential((LearnedPositions(9), Residual(CAUSAL), Stack(BLOCK, 2))),
    "post-norm behind sines": Sequential(
        (SinusoidalPositions(20.0), TransformerEncoderBlock(CAUSAL, FeedForward(5), LayerNorm(), pre_norm=False))
    ),
    "a graph in a graph": graph_of(
        {
            "dense": Dense(8),
            "inner": graph_of({"attention": GROUPED, "sum": (Add(), "inputs", "attention")}),
            "norm": BatchNorm(),
        }
    ),
}


def in_parts(model, params, state, x, lengths):
    """The outputs for each part of `x`, one after another."""
    apply, outputs = jax.jit(model.apply), []
    for part in np.split(x, np.cumsum(lengths)[:-1], axis=1):
        y, state = apply(params, state, part)
        outputs.append(y)
    return jnp.concatenate(outputs, axis=1), state


@pytest.mark.parametrize("name", MODELS)
def test_parts_give_what_the_whole_gives(name):
    model, x = MODELS[name], normal(0, 2, 7, 8)
    params, state = random_variables(model, x, scale=0.7)
    expected = jax.jit(model.apply)(params, state, x)[0]
    cached = with_cache(model, 9)  # two places stay empty
    y, _ = in_parts(cached, params, start_cache(cached, state, x), x, (3, 1, 1, 2))
    assert_close(y, expected, 1e-5)


def test_parameters_and_state_stay_as_they_are(key):
    model, x = MODELS["a graph in a graph"], normal(0, 2, 7, 8)
    params, state = random_variables(model, x)
    state = jax.tree.map(lambda s: s + 2, state)
    cached = with_cache(model, 9)
    assert jax.eval_shape(cached.init, key, x)[0] == jax.eval_shape(lambda: params)
    started = start_cache(cached, state, x)
    assert jax.eval_shape(lambda: started) == jax.eval_shape(cached.init, key, x)[1]
    assert started["norm"] == state["norm"]
    cache = started["inner"]["attention"]
    assert cache["key"].shape == (2, 9, 2, 6) and cache["position"] == 0 and not cache["value"].any()


def test_blocks_of_a_stack_keep_caches_of_their_own():
    cached = with_cache(Stack(CAUSAL, 3), 5)
    state = start_cache(cached, {}, Spec((2, 1, 8), "float32"))
    assert jax.tree.map(jnp.shape, state) == {"key": (3, 2, 5, 2, 4), "value": (3, 2, 5, 2, 4), "position": (3,)}


def test_the_cache_holds_what_was_read_and_how_much():
    x = normal(0, 1, 3, 4)
    params, _ = random_variables(CAUSAL, x)
    cached = with_cache(CAUSAL, 5)
    _, state = in_parts(cached, params, start_cache(cached, {}, x), x, (2, 1))
    expected = x[0] @ params["value"]["kernel"] + params["value"]["bias"][None]
    assert state["position"] == 3
    assert_close(state["value"][0, :3].reshape(3, 4), expected, 1e-5)
    assert not state["value"][0, 3:].any()


@pytest.mark.parametrize("model", [CAUSAL, LearnedPositions(5), Sequential((LearnedPositions(9), CAUSAL))], ids=repr)
def test_past_the_end_all_is_nan(model):
    x = normal(0, 2, 6, 8)
    params, state = random_variables(model, x[:, :5])
    cached = with_cache(model, 5)
    y, state = in_parts(cached, params, start_cache(cached, state, x[:, :5]), x, (4, 1, 1))
    assert jnp.isfinite(y[:, :5]).all() and jnp.isnan(y[:, 5:]).all()
    assert jnp.isnan(cached.apply(params, state, x[:, :1])[0]).all()
    if isinstance(model, MultiHeadAttention):
        with pytest.raises(ShapeError, match=r"6 tokens .* cache_length = 5"):
            cached.apply(params, start_cache(cached, {}, x), x)


def test_training_neither_reads_nor_writes_the_cache(key):
    model, x = MODELS["a stack behind learned positions"], normal(0, 2, 7, 8)
    params, state = random_variables(model, x)
    cached = with_cache(model, 9)
    started = jax.tree.map(lambda s: s + 3, start_cache(cached, state, x))
    y, after = jax.jit(lambda: cached.apply(params, started, x, key=key, train=True))()
    assert_close(y, jax.jit(lambda: model.apply(params, state, x, key=key, train=True)[0])(), 1e-6)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), started, after)))


def test_a_mask_forbids_places_of_the_cache():
    x = normal(0, 2, 4, 8)
    params, _ = random_variables(CAUSAL, x)
    valid = jnp.array([[False, True, True, True, True], [True] * 5])  # the first text is padded on its left
    cached = with_cache(CAUSAL, 5)
    state, outputs = start_cache(cached, {}, x), []
    for part in np.split(x, (2, 3), axis=1):
        y, state = cached.apply(params, state, part, valid)
        outputs.append(y)
    expected = CAUSAL.apply(params, {}, x, valid[:, :4])[0]
    assert_close(jnp.concatenate(outputs, 1), expected, 1e-5)


def test_a_decoder_remembers_its_own_text_and_reads_memory_anew():
    block = TransformerDecoderBlock(CAUSAL, CrossAttention(2), FeedForward(5), LayerNorm())
    x, memory = normal(0, 2, 4, 8), normal(1, 2, 3, 6)
    params, _ = random_variables(block, x, memory)
    cached = with_cache(block, 4)
    state = start_cache(cached, {}, x, memory)
    assert list(state) == ["attention"]
    apply, outputs = jax.jit(cached.apply), []
    for part in np.split(x, (2,), axis=1):
        y, state = apply(params, state, part, memory)
        outputs.append(y)
    assert_close(jnp.concatenate(outputs, 1), jax.jit(block.apply)(params, {}, x, memory)[0], 1e-5)


def test_half_precision_decodes_in_half_precision_from_either_cache():
    x = normal(0, 1, 5, 8)
    params, _ = random_variables(CAUSAL, x)
    half, x16 = jax.tree.map(lambda p: p.astype(jnp.bfloat16), params), jnp.asarray(x, jnp.bfloat16)
    cached = with_cache(CAUSAL, 5)
    expected = CAUSAL.apply(params, {}, x)[0]
    for dtype in (jnp.float32, jnp.bfloat16):
        y, state = in_parts(cached, half, start_cache(cached, {}, Spec(x.shape, dtype)), x16, (3, 1, 1))
        assert y.dtype == jnp.bfloat16 and state["key"].dtype == dtype
        assert_close(y.astype(jnp.float32), expected, 0.05)


def test_what_cannot_remember_stays_as_it_is():
    for layer in (Dense(3), MultiHeadAttention(2), Sequential((Dense(3), CrossAttention(2)))):
        assert with_cache(layer, 5) is layer


def test_tied_embeddings_start_with_a_cache_for_token_ids(key):
    model = with_cache(TiedEmbedding(7, 8, Stack(BLOCK, 2), scale_inputs=True), 6)
    ids = jnp.array([[1, 2, 3, 4, 5]])
    params, state = random_variables(model, ids)
    y, _ = in_parts(model, params, state, ids, (3, 1, 1))
    plain = TiedEmbedding(7, 8, Stack(BLOCK, 2), scale_inputs=True)
    assert_close(y, jax.jit(plain.apply)(params, {}, ids)[0], 1e-5)
