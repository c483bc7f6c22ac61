import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import LearnedPositions, SinusoidalPositions


@pytest.mark.oracle
@pytest.mark.parametrize(("shape", "seed"), [((2, 5, 3), 0), ((1, 7, 4), 1), ((3, 1, 2), 2)])
def test_learned_positions_agree_with_torch(torch, shape, seed):
    def oracle(params, x):
        return x + torch.nn.functional.embedding(torch.arange(shape[1]), params["embedding"])

    against_torch(torch, LearnedPositions(7), oracle, normal(seed, *shape), seed=seed)


@pytest.mark.parametrize(("features", "base"), [(6, 10000.0), (5, 20.0), (1, 10.0)])
def test_sinusoidal_positions_agree_with_the_papers_formula(features, base):
    x = normal(features, 2, 9, features)
    waves = np.zeros((9, features))
    for position, feature in np.ndindex(9, features):
        angle = position / base ** (2 * (feature // 2) / features)
        waves[position, feature] = np.cos(angle) if feature % 2 else np.sin(angle)
    y = SinusoidalPositions(base).apply({}, {}, x)[0]
    np.testing.assert_allclose(y, x + waves, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [LearnedPositions(9), SinusoidalPositions()], ids=lambda layer: type(layer).__name__)
def test_counting_goes_on_where_the_last_call_ended(key, kind):
    counting = type(kind)(*([9] if isinstance(kind, LearnedPositions) else []), counting=True)
    x = normal(0, 2, 6, 4)
    params, state = counting.init(key, x)
    assert state["position"] == 0 and kind.init(key, x)[1] == {}
    first, state = counting.apply(params, state, x[:, :4])
    second, state = counting.apply(params, state, x[:, 4:])
    assert state["position"] == 6
    whole = kind.apply(params, {}, x)[0]
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, rtol=1e-6, atol=1e-6)
    trained, after = counting.apply(params, state, x, key=key, train=True)
    np.testing.assert_array_equal(trained, whole)
    assert after is state


def test_positions_past_the_table_are_nan():
    params, state = {"embedding": jnp.ones((3, 2))}, {"position": jnp.int32(2)}
    y, _ = LearnedPositions(3, counting=True).apply(params, state, jnp.zeros((1, 2, 2)))
    assert jnp.isfinite(y[:, 0]).all() and jnp.isnan(y[:, 1]).all()


def test_what_does_not_fit_is_refused(key):
    with pytest.raises(ShapeError, match="4 positions, over max_length = 3"):
        LearnedPositions(3).init(key, jax.ShapeDtypeStruct((1, 4, 2), jnp.float32))
    with pytest.raises(ShapeError, match="over max_length"):
        LearnedPositions(3).apply({"embedding": jnp.ones((3, 2))}, {}, jnp.ones((1, 4, 2)))
    with pytest.raises(ShapeError, match="batch, seq, features"):
        SinusoidalPositions().init(key, jax.ShapeDtypeStruct((4, 2), jnp.float32))
    with pytest.raises(ConfigError, match="base = 0"):
        SinusoidalPositions(0.0)
