import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, assert_close, normal, outputs_and_gradients, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import (
    Conv2D,
    Dense,
    FeedForward,
    LayerNorm,
    LoRA,
    MultiHeadAttention,
    Sequential,
    TransformerEncoderBlock,
    merge_lora,
)

BLOCK = TransformerEncoderBlock(MultiHeadAttention(2), FeedForward(8), LayerNorm())
WITH_BIAS = Dense(3, bias_init="normal")


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LoRA(WITH_BIAS, 2, 5.0), (1, 6)),
        (LoRA(Dense(7, use_bias=False), 3, 0.5, match=("",)), (2, 3, 5)),
    ],
)
def test_agrees_with_torch(torch, layer, shape):
    seed = shape[-1]
    _, state = random_variables(layer, normal(0, *shape), seed=seed)
    base = jax.tree.map(lambda p: torch.tensor(np.asarray(p)), state["params"])

    def oracle(params, x):
        y = x @ base["kernel"] + base.get("bias", 0.0)
        return y + layer.alpha / layer.rank * (x @ params["down"]["kernel"] @ params["up"]["kernel"])

    against_torch(torch, layer, oracle, normal(0, *shape), seed=seed)


def test_reaches_kernels_that_are_no_fields_of_any_layer():
    layer = LoRA(BLOCK, 2, 6.0, match=("attention/[qv]*", "feed_forward/down"))
    x = normal(0, 2, 3, 4)
    params, state = random_variables(layer, x)
    assert jax.tree.map(jnp.shape, params) == {
        "attention": {name: {"down": {"kernel": (4, 2)}, "up": {"kernel": (2, 4)}} for name in ("query", "value")},
        "feed_forward": {"down": {"down": {"kernel": (8, 2)}, "up": {"kernel": (2, 4)}}},
    }
    changed = jax.tree.map(np.asarray, state["params"])
    for part, name in (("attention", "query"), ("attention", "value"), ("feed_forward", "down")):
        a, b = (np.asarray(params[part][name][side]["kernel"], np.float64) for side in ("down", "up"))
        changed[part][name]["kernel"] = (changed[part][name]["kernel"] + 3.0 * np.matmul(a, b)).astype(np.float32)
    expected = jax.jit(lambda p: BLOCK.apply(p, {}, x)[0])(changed)
    assert_close(jax.jit(lambda p: layer.apply(p, state, x)[0])(params), expected, 1e-5)
    merged = merge_lora(layer, params, state)
    assert merged[0] == BLOCK and merged[2] == {}
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-6), merged[1], changed)
    assert merged[1]["attention"]["key"]["kernel"] is state["params"]["attention"]["key"]["kernel"]


def test_starts_as_its_layer_and_learns_the_change_alone(key):
    layer, x = LoRA(Dense(3), 2, 4.0, dropout=0.5), normal(0, 4, 5)
    params, state = layer.init(key, x)
    y, (grads, _) = outputs_and_gradients(layer, (params, state), (x,), normal(1, 4, 3), key=key, train=True)
    plain, _ = Dense(3).init(key, x)
    assert jnp.array_equal(y, Dense(3).forward(plain, jnp.asarray(x)))
    assert sorted(grads) == ["down", "up"] and params["down"]["kernel"].any() and grads["up"]["kernel"].any()
    assert not grads["down"]["kernel"].any()  # B = 0 hides A, for one step


def test_the_change_is_drawn_at_one_scale_whatever_the_leading_axes(key):
    params, _ = LoRA(Conv2D(4, 3, kernel_init="zeros"), 50, 1.0).init(key, jnp.ones((1, 5, 5, 64)))
    down = np.asarray(params["down"]["kernel"])
    assert down.shape == (3, 3, 64, 50) and abs(down.std() - 64**-0.5) < 0.01
    assert len({float(tap[0, 0]) for tap in down.reshape(9, 64, 50)}) == 9


def test_dropout_acts_on_the_rows_of_the_change_alone(key):
    layer, x = LoRA(Dense(3), 2, 4.0, dropout=0.5), jnp.eye(5)
    params, state = random_variables(layer, x)
    base = np.asarray(Dense(3).forward(state["params"], x))
    change = np.asarray(layer.apply(params, state, x)[0]) - base
    run = jax.jit(jax.vmap(lambda k: layer.apply(params, state, x, key=k, train=True)[0]))
    drawn = np.asarray(run(jax.random.split(key, 200))) - base
    kept = np.abs(drawn).max(-1) > 1e-6  # each row of the unit matrix sees one row of A
    np.testing.assert_allclose(drawn, np.where(kept[..., None], 2 * change, 0), rtol=1e-4, atol=1e-5)
    assert 0.4 < kept.mean() < 0.6 and not kept.all(0).any()
    with pytest.raises(ConfigError, match="needs a random key"):
        layer.apply(params, state, x, train=True)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_merged_it_computes_the_same(dtype):
    layer, x = LoRA(WITH_BIAS, 2, 5.0), jnp.asarray(normal(0, 4, 6), dtype)
    params, state = random_variables(layer, x)
    dense, merged, rest = merge_lora(layer, params, state)
    assert dense == WITH_BIAS and rest == {} and jax.tree.map(jnp.shape, merged) == {"kernel": (6, 3), "bias": (3,)}
    y = dense.apply(jax.tree.map(lambda p: p.astype(dtype), merged), {}, x)[0].astype(jnp.float32)
    assert_close(y, layer.apply(params, state, x)[0].astype(jnp.float32), 1e-5 if dtype == jnp.float32 else 0.02)


def test_every_pattern_has_to_match_a_kernel():
    x = Spec((2, 3, 4), jnp.float32)
    with pytest.raises(ShapeError, match=r"(?s)2 problems.*'attention/qery' matches no kernel.*mean 'attention/query'"):
        check(LoRA(BLOCK, 2, 1.0, match=("attention/qery", "attention/key", "norm")), x)
    with pytest.raises(ShapeError, match="names no kernel"):
        check(LoRA(Dense(3), 2, 1.0, match=()), x)
    with pytest.raises(ConfigError, match="rank = 0"):
        LoRA(Sequential((Dense(3),)), 0, 1.0)
