import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_torch, assert_close, normal, outputs_and_gradients, random_variables
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import Dense, LoRA, Sequential, merge_lora


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (LoRA(Dense(3), 2, 5.0), (4, 6)),
        (LoRA(Dense(7, use_bias=False), 3, 0.5, dropout=0.5), (2, 3, 5)),
        (LoRA(Dense(2), 8, 1.0), (1, 1)),
    ],
)
def test_agrees_with_torch_and_leaves_the_base_without_gradient(torch, layer, shape):
    def oracle(params, x):
        frozen = {name: p.detach() + 0 * p for name, p in params["base"].items()}  # a gradient of zeros
        y = x @ frozen["kernel"] + frozen.get("bias", 0.0)
        return y + layer.alpha / layer.rank * (x @ params["down"]["kernel"] @ params["up"]["kernel"])

    against_torch(torch, layer, oracle, normal(0, *shape), seed=shape[-1])


def test_starts_as_its_dense_layer_and_learns_the_change_alone(key):
    layer, x = LoRA(Dense(3), 2, 4.0, dropout=0.5), normal(0, 4, 5)
    params, state = layer.init(key, x)
    y, (grads, _) = outputs_and_gradients(layer, (params, state), (x,), normal(1, 4, 3), key=key, train=True)
    assert jnp.array_equal(y, Dense(3).forward(params["base"], jnp.asarray(x)))
    assert params["down"]["kernel"].any() and grads["up"]["kernel"].any()
    assert not any(g.any() for g in jax.tree.leaves((grads["base"], grads["down"])))  # B = 0 hides A, for one step


def test_dropout_acts_on_the_change_alone(key):
    layer, x = LoRA(Dense(3), 2, 4.0, dropout=0.5), normal(0, 4, 5)
    params, state = random_variables(layer, x)

    def change(**mode):
        return jax.jit(lambda x: layer.apply(params, state, x, **mode)[0])(x) - Dense(3).forward(params["base"], jnp.asarray(x))

    assert not jnp.allclose(change(), change(key=key, train=True))
    keys = jax.random.split(key, 4000)
    drawn = jax.jit(jax.vmap(lambda k: layer.apply(params, state, x, key=k, train=True)[0]))(keys)
    assert_close(drawn.mean(0), layer.apply(params, state, x)[0], 0.05)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_merged_it_computes_the_same(dtype):
    layer, x = LoRA(Dense(3), 2, 5.0), jnp.asarray(normal(0, 4, 6), dtype)
    params, state = random_variables(layer, x)
    dense, merged = merge_lora(layer, params)
    assert dense == Dense(3) and jax.tree.map(jnp.shape, merged) == {"kernel": (6, 3), "bias": (3,)}
    assert merged["kernel"].dtype == dtype
    y = dense.apply(merged, {}, x)[0].astype(jnp.float32)
    assert_close(y, layer.apply(params, state, x)[0].astype(jnp.float32), 1e-5 if dtype == jnp.float32 else 0.02)


def test_only_a_dense_layer_is_taken():
    with pytest.raises(ConfigError, match=r"LoRA\.dense = .* is not a Dense"):
        LoRA(Sequential((Dense(3),)), 2, 1.0)
    with pytest.raises(ConfigError, match="rank = 0"):
        LoRA(Dense(3), 0, 1.0)
