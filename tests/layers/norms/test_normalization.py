import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import BatchNorm, LayerNorm, RMSNorm


@pytest.mark.oracle
@pytest.mark.parametrize(("shape", "seed"), [((3, 5), 0), ((1, 7), 1), ((2, 3, 5), 2), ((1, 1, 2), 3)])
def test_layer_and_rms_norm_agree_with_torch(torch, shape, seed):
    F, x = torch.nn.functional, 3 + 2 * normal(seed, *shape)
    axes = shape[-1:]
    against_torch(torch, LayerNorm(), lambda p, x: F.layer_norm(x, axes, p["scale"], p["bias"]), x, seed=seed)
    against_torch(
        torch, LayerNorm(0.1, use_bias=False), lambda p, x: F.layer_norm(x, axes, p["scale"], None, 0.1), x, seed=seed
    )
    against_torch(torch, RMSNorm(), lambda p, x: F.rms_norm(x, axes, p["scale"], 1e-6), x, seed=seed)


def channels_first(x):
    return x.movedim(-1, 1)


@pytest.mark.oracle
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [(BatchNorm(), (4, 3)), (BatchNorm(epsilon=0.1, use_bias=False), (2, 3, 4, 5)), (BatchNorm(use_scale=False), (1, 5, 2))],
)
def test_batch_norm_agrees_with_torch(torch, layer, shape, train):
    def oracle(p, x):
        mean, var = (torch.zeros(shape[-1]), torch.ones(shape[-1]))
        y = torch.nn.functional.batch_norm(
            channels_first(x), mean, var, p.get("scale"), p.get("bias"), training=train, eps=layer.epsilon
        )
        return y.movedim(1, -1)

    against_torch(torch, layer, oracle, 1 + 2 * normal(5, *shape), train=train)


@pytest.mark.oracle
def test_running_statistics_agree_with_torch_over_three_steps_and_in_evaluation(torch):
    layer, shape = BatchNorm(momentum=0.7), (3, 2, 5, 4)
    params, state = random_variables(layer, normal(0, *shape))
    module = torch.nn.BatchNorm2d(4, momentum=0.3)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(np.asarray(params["scale"])))
        module.bias.copy_(torch.tensor(np.asarray(params["bias"])))
    for step in range(3):
        x = step + (1 + step) * normal(step, *shape)
        _, state = layer.apply(params, state, x, train=True)
        module(channels_first(torch.tensor(x)))
        assert_close(state["mean"], module.running_mean.numpy(), 1e-5)
        assert_close(state["var"], module.running_var.numpy(), 1e-5)
    module.eval()
    y, unchanged = layer.apply(params, state, x)
    assert_close(y, module(channels_first(torch.tensor(x))).movedim(1, -1).detach().numpy(), 1e-5)
    assert unchanged is state


@pytest.mark.parametrize("train", [False, True])
def test_batch_norm_gradients_agree_with_finite_differences(train):
    against_finite_differences(BatchNorm(), normal(0, 5, 3), train=train)


@pytest.mark.parametrize("layer", [LayerNorm(), RMSNorm()])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(0, 2, 5))


def test_a_large_mean_does_not_swallow_the_variance():
    x = 1e4 + normal(0, 512, 2)
    y, state = BatchNorm(0.0).apply({}, {"mean": jnp.zeros(2), "var": jnp.ones(2)}, x, train=True)
    np.testing.assert_allclose(state["var"], np.var(x.astype(np.float64), 0, ddof=1), rtol=1e-3)
    np.testing.assert_allclose(np.var(y, 0), 1, rtol=1e-3)
    normed = LayerNorm(use_scale=False, use_bias=False).forward({}, x.T)
    np.testing.assert_allclose(np.var(normed, -1), 1, rtol=1e-3)


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm(), RMSNorm()])
def test_statistics_of_half_precision_inputs_do_not_overflow(key, layer):
    x = jnp.asarray(1000 * normal(0, 64, 8), jnp.float16)  # squares pass float16's 65504
    params, state = layer.init(key, x)
    y, state = layer.apply(params, state, x, train=True)
    assert y.dtype == jnp.float16
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(state))
    expected, _ = layer.apply(jax.tree.map(lambda p: p.astype(jnp.float32), params), state, x.astype(jnp.float32), train=True)
    np.testing.assert_allclose(y.astype(jnp.float32), expected, rtol=2e-3, atol=2e-3)


def test_training_on_one_value_per_channel_is_refused(key):
    layer, x = BatchNorm(), jnp.ones((1, 3))
    params, state = layer.init(key, x)
    assert jnp.isfinite(layer.apply(params, state, x)[0]).all()
    with pytest.raises(ShapeError, match="more than one value per channel"):
        layer.apply(params, state, x, train=True)


def test_bad_options_and_inputs_are_refused(key):
    with pytest.raises(ConfigError, match=r"momentum = 1\.5"):
        BatchNorm(momentum=1.5)
    with pytest.raises(ConfigError, match="epsilon = 0"):
        LayerNorm(epsilon=0.0)
    with pytest.raises(ShapeError, match="int32"):
        RMSNorm().init(key, jax.ShapeDtypeStruct((2, 3), jnp.int32))
    with pytest.raises(ShapeError, match="at least 2 axes"):
        BatchNorm().init(key, jax.ShapeDtypeStruct((3,), jnp.float32))


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_offset_of_the_scale_agrees_with_gemmas_norm(torch, seed):
    from transformers.models.gemma.modeling_gemma import GemmaRMSNorm

    def oracle(params, x):
        return torch.func.functional_call(GemmaRMSNorm(6, eps=1e-3), {"weight": params["scale"]}, (x,))

    against_torch(torch, RMSNorm(epsilon=1e-3, scale_offset=1.0), oracle, normal(seed, 2, 3, 6), seed=seed)


def test_a_scale_with_an_offset_starts_at_a_factor_of_one(key):
    assert RMSNorm(scale_offset=1.0).init(key, jax.ShapeDtypeStruct((2, 3), jnp.float32))[0]["scale"].tolist() == [0, 0, 0]
