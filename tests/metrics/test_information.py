import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.metrics import BitsPerByte, Perplexity
from zerfoo_jax.metrics.base import mean_of


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize("lead", [(7,), (1, 3), (2, 5)])
def test_agrees_with_scipy(lead, dtype):
    rng = np.random.default_rng(0)
    logits, targets = 5 * normal(0, *lead, 256), rng.integers(0, 256, lead)
    weights = rng.integers(1, 3, lead).astype(np.float32)
    weights.flat[1] = 0
    log_p = log_softmax(logits.astype(np.float64), -1) / np.log(2)
    bits = -np.take_along_axis(log_p, targets[..., None], -1)[..., 0]
    logits[weights == 0] = np.nan
    value = mean_of(BitsPerByte().update(logits, jnp.asarray(targets.astype(dtype)), weights))
    np.testing.assert_allclose(value, np.average(bits, weights=weights), rtol=1e-5)


def test_a_byte_that_does_not_exist_gives_nan():
    bits = BitsPerByte().each(jnp.zeros((4, 256)), jnp.array([-1, 256, 0, 255]))
    assert np.isnan(bits).tolist() == [True, True, False, False]


def test_half_precision_is_summed_in_float32():
    assert BitsPerByte().each(jnp.zeros((1, 256), jnp.bfloat16), jnp.array([3])).tolist() == [8.0]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="bits_per_byte"):
        BitsPerByte().each(jnp.zeros((2, 3, 256)), jnp.zeros(2, jnp.int32))


def test_perplexity_is_the_exponential_of_the_mean_over_all_that_counts():
    logits, targets = 3 * normal(0, 4, 5, 7), np.random.default_rng(0).integers(0, 7, (4, 5))
    weights = np.array([1, 0, 2, 0.5], np.float32)
    each = -np.take_along_axis(log_softmax(logits.astype(np.float64), -1), targets[..., None], -1)[..., 0]
    metric = Perplexity()
    value = metric.compute(metric.update(logits, jnp.asarray(targets), weights))
    np.testing.assert_allclose(value, np.exp(np.average(each.mean(-1), weights=weights)), rtol=1e-5)
    assert np.isnan(metric.each(jnp.zeros((3, 7)), jnp.array([-1, 7, 0]))).tolist() == [True, True, False]
    with pytest.raises(ShapeError, match="perplexity"):
        metric.each(jnp.zeros((2, 3, 7)), jnp.zeros(2, jnp.int32))
