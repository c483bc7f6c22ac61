import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import lstm_forecaster, mlp


def shapes(model, *shape):
    return jax.eval_shape(lambda key: model.init(key, Spec(shape, jnp.float32)), jax.random.key(0))[0]


def count(params):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(("shape", "hidden"), [((1, 784), (512, 512)), ((3, 8, 8, 1), (32,)), ((2, 5), ())])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_mlp_parameter_count_follows_the_closed_form(shape, hidden, dropout):
    widths = (int(np.prod(shape[1:])), *hidden, 10)
    params = shapes(mlp(features=10, hidden=hidden, dropout=dropout), *shape)
    assert count(params) == sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))
    assert sorted(params) == [f"dense_{i}" for i in range(len(hidden) + 1)]


@pytest.mark.oracle
def test_mlp_agrees_with_torch(torch):
    model, x = mlp(features=3, hidden=(5, 4), activation="relu"), normal(0, 6, 2, 2)
    params, state = random_variables(model, x)
    y = torch.tensor(x.reshape(6, 4))
    for i in range(3):
        kernel, bias = (torch.tensor(np.asarray(params[f"dense_{i}"][name])) for name in ("kernel", "bias"))
        y = y @ kernel + bias if i == 2 else torch.relu(y @ kernel + bias)
    assert_close(model.apply(params, state, x)[0], y.numpy(), 1e-5)


@pytest.mark.parametrize(
    ("batch", "time", "channels", "features", "horizon"), [(1, 36, 1, 64, 6), (3, 5, 2, 7, 1), (2, 1, 4, 3, 12)]
)
def test_forecaster_shapes_and_parameter_count(batch, time, channels, features, horizon):
    model = lstm_forecaster(horizon=horizon, features=features)
    assert check(model, Spec((batch, time, channels), jnp.float32)).shape == (batch, horizon)
    lstm = 4 * features * (channels + features + 1)
    assert count(shapes(model, batch, time, channels)) == lstm + (features + 1) * horizon


def test_forecaster_agrees_with_its_recurrence_by_hand():
    model, x = lstm_forecaster(horizon=2, features=3), normal(0, 2, 4, 2)
    params, state = random_variables(model, x)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    h = c = np.zeros((2, 3))
    for t in range(4):
        gates = x[:, t] @ p["lstm_0"]["input"]["kernel"] + p["lstm_0"]["input"]["bias"] + h @ p["lstm_0"]["recurrent"]["kernel"]
        i, f, g, o = np.split(gates, 4, -1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    assert_close(model.apply(params, state, x)[0], h @ p["dense_0"]["kernel"] + p["dense_0"]["bias"], 1e-5)
