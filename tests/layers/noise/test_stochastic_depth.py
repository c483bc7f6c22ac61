import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import StochasticDepth

X = normal(0, 4000, 3, 2)


@pytest.mark.parametrize("rate", [0.1, 0.8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_example_is_dropped_as_a_whole_or_scaled_up(rate, seed):
    y, state = StochasticDepth(rate).apply({}, {}, X, key=jax.random.key(seed), train=True)
    kept = np.asarray((y != 0).all((1, 2)))
    np.testing.assert_allclose(y[kept], X[kept] / (1 - rate), rtol=1e-6)
    assert not y[~kept].any() and state == {}
    assert abs(kept.mean() - (1 - rate)) < 5 * (rate * (1 - rate) / 4000) ** 0.5
    assert len(set(np.diff(np.flatnonzero(kept)))) > 2


def test_passes_unchanged_outside_training_and_at_rate_zero(key):
    np.testing.assert_array_equal(StochasticDepth(0.5).apply({}, {}, X, key=key)[0], X)
    np.testing.assert_array_equal(StochasticDepth(0.0).apply({}, {}, X, train=True)[0], X)


def test_the_gradient_goes_to_what_was_kept(key):
    def total(x):
        return StochasticDepth(0.5).apply({}, {}, x, key=key, train=True)[0].sum()

    kept = StochasticDepth(0.5).apply({}, {}, jnp.ones_like(X), key=key, train=True)[0]
    np.testing.assert_array_equal(jax.grad(total)(X), kept)


def test_training_without_a_key_is_refused():
    with pytest.raises(ConfigError, match="needs a random key"):
        StochasticDepth(0.5).apply({}, {}, X, train=True)
