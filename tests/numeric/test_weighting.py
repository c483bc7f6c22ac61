import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.numeric.weighting import mean_of, spread, weighted_sums


@pytest.mark.parametrize(("values", "weights"), [((5,), (5,)), ((4, 3), (4,)), ((4, 3), (4, 3)), ((4, 3, 2), (4, 1, 2))])
def test_the_weighted_mean_agrees_with_numpy(values, weights):
    x, w = normal(0, *values), np.random.default_rng(1).random(weights).astype(np.float32)
    wide = np.broadcast_to(w.reshape(weights + (1,) * (len(values) - len(weights))), values)
    expected = np.average(x.astype(np.float64), weights=wide)
    np.testing.assert_allclose(mean_of(weighted_sums(x, w)), expected, rtol=1e-5)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -np.inf])
def test_what_has_no_weight_may_be_anything(garbage):
    x = np.array([1, garbage, 3], np.float32)
    assert float(mean_of(weighted_sums(x, jnp.array([1.0, 0.0, 3.0])))) == 2.5


def test_nothing_counted_gives_nan():
    assert jnp.isnan(mean_of(weighted_sums(jnp.ones(3), jnp.zeros(3))))


@pytest.mark.parametrize("dtype", [bool, jnp.int32, jnp.bfloat16, jnp.float16])
def test_weights_of_any_dtype_are_summed_in_float32(dtype):
    sums = weighted_sums(jnp.full(3000, 2.0, jnp.bfloat16), jnp.ones(3000, dtype))
    assert sums["sum"].dtype == sums["count"].dtype == jnp.float32
    assert (float(sums["sum"]), float(sums["count"])) == (6000, 3000)


@pytest.mark.parametrize(("weights", "shape"), [((3,), (4,)), ((4, 3), (4,)), ((3,), (4, 3)), ((1, 4, 3), (4, 3))])
def test_weights_that_do_not_fit_are_refused(weights, shape):
    with pytest.raises(ShapeError, match="weights of shape"):
        spread(jnp.ones(weights), shape)
