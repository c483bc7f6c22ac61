import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import GaussianBottleneck

X = normal(0, 5, 4)


def moments(params, x):
    """Mean and log variance in float64."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    return (x @ p[name]["kernel"] + p[name]["bias"] for name in ("mean", "log_variance"))


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_divergence_is_torchs(torch, seed):
    layer = GaussianBottleneck(3, kl_weight=0.25)
    params, state = random_variables(layer, X, seed=seed)
    _, new = layer.apply(params, state, X, key=jax.random.key(seed), train=True)
    mean, log_variance = (torch.tensor(m) for m in moments(params, X))
    normal_of = torch.distributions.Normal
    divergence = torch.distributions.kl_divergence(normal_of(mean, (log_variance / 2).exp()), normal_of(0.0, 1.0))
    assert new["auxiliary_loss"].dtype == jnp.float32 and new["auxiliary_loss"].shape == ()
    np.testing.assert_allclose(new["auxiliary_loss"], 0.25 * divergence.sum(-1).mean(), rtol=1e-5)


def test_draws_have_the_mean_and_the_variance_that_the_input_sets():
    layer = GaussianBottleneck(3)
    params, state = random_variables(layer, X)
    draw = jax.jit(jax.vmap(lambda key: layer.apply(params, state, X, key=key, train=True)[0]))
    z = np.asarray(draw(jax.random.split(jax.random.key(0), 20_000)), np.float64)
    mean, log_variance = moments(params, X)
    sigma = np.exp(log_variance / 2)
    assert np.all(np.abs(z.mean(0) - mean) < 5 * sigma / 20_000**0.5)
    np.testing.assert_allclose(z.std(0), sigma, rtol=0.03)
    assert abs(np.corrcoef(z[:, 0, 0], z[:, 1, 0])[0, 1]) < 0.04


def test_outside_training_it_is_the_mean_and_the_state_stays():
    layer = GaussianBottleneck(3)
    params, _ = random_variables(layer, X)
    state = {"auxiliary_loss": jnp.float32(7)}
    z, new = layer.apply(params, state, X, key=jax.random.key(0))
    assert_close(z, next(moments(params, X)), 1e-5)
    assert new is state


def test_gradients_pass_through_the_draw_and_the_divergence():
    against_finite_differences(GaussianBottleneck(3), X, key=jax.random.key(1), train=True)

    with jax.enable_x64(True):
        layer, x = GaussianBottleneck(2, kl_weight=3.0), jnp.asarray(X, jnp.float64)
        params, state = random_variables(layer, x)

        def divergence(params):
            return layer.apply(params, state, x, key=jax.random.key(1), train=True)[1]["auxiliary_loss"]

        grads = jax.grad(divergence)(params)
        mean, log_variance = moments(params, np.asarray(X, np.float64))
        assert_close(grads["mean"]["bias"], 3 * mean.mean(0), 1e-5)
        assert_close(grads["log_variance"]["bias"], 1.5 * np.expm1(log_variance).mean(0), 1e-5)


def test_training_without_a_key_is_refused():
    layer = GaussianBottleneck(3)
    params, state = random_variables(layer, X)
    with pytest.raises(ConfigError, match="needs a random key"):
        layer.apply(params, state, X, train=True)
