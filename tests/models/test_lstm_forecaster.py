import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import lstm_forecaster


@pytest.mark.parametrize(
    ("batch", "time", "channels", "features", "horizon"), [(1, 36, 1, 64, 6), (3, 5, 2, 7, 1), (2, 1, 4, 3, 12)]
)
def test_shapes_and_parameter_count(batch, time, channels, features, horizon):
    model, spec = lstm_forecaster(horizon=horizon, features=features), Spec((batch, time, channels), jnp.float32)
    assert check(model, spec).shape == (batch, horizon)
    params, _ = jax.eval_shape(lambda key: model.init(key, spec), jax.random.key(0))
    expected = 4 * features * (channels + features + 1) + (features + 1) * horizon
    assert sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == expected


def test_agrees_with_its_recurrence_by_hand():
    model, x = lstm_forecaster(horizon=2, features=3), normal(0, 2, 4, 2)
    params, state = random_variables(model, x)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    cell, h, c = p["lstm_0"]["forward_0"], np.zeros((2, 3)), np.zeros((2, 3))
    for t in range(4):
        gates = x[:, t] @ cell["input"]["kernel"] + cell["input"]["bias"] + h @ cell["recurrent"]["kernel"]
        i, f, g, o = np.split(gates, 4, -1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    assert_close(model.apply(params, state, x)[0], h @ p["dense_0"]["kernel"] + p["dense_0"]["bias"], 1e-5)
