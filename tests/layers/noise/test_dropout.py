import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_keeps_the_named_share_and_the_mean(key, rate):
    y, _ = Dropout(rate).apply({}, {}, jnp.ones((100, 1000)), key=key, train=True)
    kept = np.asarray(y) != 0
    assert abs(kept.mean() - (1 - rate)) < 5 * (rate * (1 - rate) / y.size) ** 0.5
    np.testing.assert_allclose(np.asarray(y)[kept], 1 / (1 - rate), rtol=1e-6)


def test_the_gradient_passes_where_the_value_passed(key):
    x = jnp.arange(1.0, 65.0)
    y, pull = jax.vjp(lambda x: Dropout(0.3).apply({}, {}, x, key=key, train=True)[0], x)
    np.testing.assert_allclose(pull(jnp.ones(64))[0], y / x, rtol=1e-6)


def test_is_the_identity_outside_training_and_at_rate_zero(key):
    x = jnp.arange(5.0)
    assert Dropout(0.9).apply({}, {}, x, key=key)[0] is x
    assert Dropout(0.0).apply({}, {}, x, train=True)[0] is x


def test_different_keys_drop_different_elements(key):
    x = jnp.ones(256)
    one, same, other = (Dropout(0.5).apply({}, {}, x, key=k, train=True)[0] for k in (key, key, jax.random.fold_in(key, 1)))
    assert jnp.array_equal(one, same)
    assert not jnp.array_equal(one, other)


def test_nan_and_infinity_are_dropped_like_any_value(key):
    y, _ = Dropout(0.5).apply({}, {}, jnp.full(64, jnp.inf), key=key, train=True)
    assert set(np.asarray(y).tolist()) == {0.0, float("inf")}


def test_training_without_a_key_says_what_to_do():
    with pytest.raises(ConfigError, match=r"(?s)rate 0\.5.*pass key"):
        Dropout(0.5).apply({}, {}, jnp.ones(3), train=True)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan"), "half"])
def test_bad_rates_are_refused(rate):
    with pytest.raises(ConfigError, match="rate"):
        Dropout(rate)


def test_integer_inputs_are_refused(key):
    with pytest.raises(ShapeError, match="int32"):
        Dropout(0.5).init(key, jax.ShapeDtypeStruct((2,), jnp.int32))
