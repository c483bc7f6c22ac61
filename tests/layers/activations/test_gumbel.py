import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, assert_close, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import GumbelSoftmax

LOGITS = np.array([1.0, -0.5, 0.3, 2.0], np.float32)


def drawn(layer, logits, count=20000, seed=0):
    x = jnp.broadcast_to(jnp.asarray(logits), (count, len(logits)))
    return np.asarray(jax.jit(lambda key: layer.apply({}, {}, x, key=key, train=True)[0])(jax.random.key(seed)))


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_hard_samples_have_the_distribution_of_the_softmax(temperature):
    samples = drawn(GumbelSoftmax(temperature, hard=True), LOGITS)
    assert set(np.unique(samples)) == {0.0, 1.0} and (samples.sum(-1) == 1).all()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum()
    assert (np.abs(samples.mean(0) - p) < 4 * np.sqrt(p * (1 - p) / len(samples))).all()


@pytest.mark.oracle
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_soft_samples_have_torchs_distribution(torch, temperature):
    torch.manual_seed(0)
    ours = drawn(GumbelSoftmax(temperature), LOGITS)
    theirs = torch.nn.functional.gumbel_softmax(torch.tensor(LOGITS).expand(20000, 4), tau=temperature).numpy()
    np.testing.assert_allclose(ours.sum(-1), 1, rtol=1e-5)
    for power in (1, 2):
        a, b = ours**power, theirs**power
        assert (np.abs(a.mean(0) - b.mean(0)) < 5 * np.sqrt((a.var(0) + b.var(0)) / 20000)).all()


@pytest.mark.oracle
def test_without_training_it_is_torchs_softmax_of_the_scaled_logits(torch):
    against_torch(torch, GumbelSoftmax(0.7), lambda p, x: torch.softmax(x / 0.7, -1), normal(0, 2, 3, 5))


def test_the_gradient_of_a_hard_sample_is_that_of_the_soft_one(key):
    x, cotangent = jnp.asarray(normal(0, 3, 5)), jnp.asarray(normal(1, 3, 5))

    def gradient(hard, train):
        layer = GumbelSoftmax(0.7, hard)
        return jax.vjp(lambda x: layer.apply({}, {}, x, key=key, train=train)[0], x)[1](cotangent)[0]

    assert_close(gradient(True, True), gradient(False, True), 1e-6)
    assert_close(gradient(True, False), gradient(False, False), 1e-6)
    assert not jnp.allclose(gradient(True, True), gradient(True, False))


def test_training_without_a_key_and_integers_are_refused(key):
    with pytest.raises(ConfigError, match=r"(?s)random key.*pass key"):
        GumbelSoftmax().apply({}, {}, jnp.ones(3), train=True)
    with pytest.raises(ShapeError, match="floating"):
        GumbelSoftmax().init(key, jax.ShapeDtypeStruct((2, 3), jnp.int32))
    with pytest.raises(ConfigError, match="temperature"):
        GumbelSoftmax(0.0)
