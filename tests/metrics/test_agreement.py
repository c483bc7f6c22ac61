import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import r2_score

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.metrics import R2, Pearson, Spearman

ALL = [Pearson, Spearman, R2]


def value(metric, outputs, targets, weights):
    return float(jax.jit(lambda *xs: metric().compute(metric().update(*xs)))(outputs, targets, weights))


def example(seed, *shape, offset=0.0):
    targets = (offset + normal(seed, *shape)).astype(np.float32)
    return targets + np.float32(0.7) * normal(seed + 1, *shape), targets


def weighted_pearson(a, b, weights):
    c = np.cov(a, b, aweights=weights)
    return c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agree_with_scipy_and_sklearn_at_any_offset(seed, offset):
    outputs, targets = example(seed, 50, offset=offset)
    ones = np.ones(50, np.float32)
    wide = np.float64(outputs), np.float64(targets)
    np.testing.assert_allclose(value(Pearson, outputs, targets, ones), pearsonr(*wide)[0], rtol=1e-5)
    np.testing.assert_allclose(value(Spearman, outputs, targets, ones), spearmanr(*wide)[0], rtol=1e-5)
    np.testing.assert_allclose(value(R2, outputs, targets, ones), r2_score(wide[1], wide[0]), rtol=1e-5)


@pytest.mark.parametrize("shape", [(40,), (40, 3), (40, 2, 2)])
def test_weights_and_places_agree_with_numpy(shape):
    outputs, targets = example(0, *shape, offset=100.0)
    weights = np.random.default_rng(0).random(40).astype(np.float32)
    columns = [x.reshape(40, -1).astype(np.float64) for x in (outputs, targets)]
    expected = np.mean([weighted_pearson(a, b, weights) for a, b in zip(*(c.T for c in columns), strict=True)])
    np.testing.assert_allclose(value(Pearson, outputs, targets, weights), expected, rtol=1e-5)
    expected = r2_score(columns[1], columns[0], sample_weight=weights)
    np.testing.assert_allclose(value(R2, outputs, targets, weights), expected, rtol=1e-5)


def test_ranks_share_the_mean_of_equal_numbers_and_weights_count_as_repetitions():
    rng = np.random.default_rng(0)
    outputs, targets = (rng.integers(0, 5, 40).astype(np.float32) for _ in range(2))
    times = rng.integers(0, 4, 40)
    expected = spearmanr(np.repeat(outputs, times), np.repeat(targets, times))[0]
    np.testing.assert_allclose(value(Spearman, outputs, targets, times.astype(np.float32)), expected, rtol=1e-5)
    ranks = rankdata(np.repeat(outputs, times)), rankdata(np.repeat(targets, times))
    np.testing.assert_allclose(expected, pearsonr(*ranks)[0])  # the oracle is what the docstring says


def test_what_does_not_vary_is_defined():
    ones, constant = jnp.ones(3), jnp.full(3, 1e4)
    assert value(Pearson, constant, jnp.arange(3.0), ones) == value(Spearman, constant, jnp.arange(3.0), ones) == 0
    assert value(R2, constant, constant, ones) == r2_score(constant, constant) == 1
    assert value(R2, jnp.arange(3.0), constant, ones) == r2_score(constant, jnp.arange(3.0)) == 0


@pytest.mark.parametrize("metric", ALL)
def test_a_nan_gives_nan(metric):
    for outputs, targets in ((jnp.array([1.0, jnp.nan, 2.0]), jnp.arange(3.0)), (jnp.arange(3.0), jnp.full(3, jnp.nan))):
        assert np.isnan(value(metric, outputs, targets, jnp.ones(3)))


@pytest.mark.parametrize("metric", ALL)
def test_shapes_that_would_broadcast_are_refused(metric):
    with pytest.raises(ShapeError, match=f"{metric.__name__} of outputs and targets"):
        metric().update(jnp.zeros((4, 1)), jnp.zeros(4), jnp.ones(4))
