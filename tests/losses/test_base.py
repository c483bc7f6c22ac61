import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.losses.base import Weighted, reduce

VALUES, WEIGHTS = np.abs(normal(0, 5, 3)), np.array([1, 0, 2, 0.5, 1], np.float32)


def test_mean_sum_and_none_agree_with_numpy():
    wide = np.broadcast_to(WEIGHTS[:, None], (5, 3))
    np.testing.assert_allclose(reduce(VALUES, "mean", WEIGHTS), np.average(VALUES, weights=wide), rtol=1e-6)
    np.testing.assert_allclose(reduce(VALUES, "sum", WEIGHTS), (VALUES * wide).sum(), rtol=1e-6)
    np.testing.assert_allclose(reduce(VALUES, "none", WEIGHTS), VALUES * wide, rtol=1e-6)
    np.testing.assert_allclose(reduce(VALUES), VALUES.mean(), rtol=1e-6)


def test_weights_of_the_loss_itself_multiply_those_given():
    own = np.abs(normal(1, 5, 3))
    expected = np.average(VALUES, weights=own * WEIGHTS[:, None])
    np.testing.assert_allclose(reduce(Weighted(jnp.asarray(VALUES), own), "mean", WEIGHTS), expected, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_what_a_mask_hides_may_be_anything(reduction):
    values, mask = jnp.where(jnp.arange(5) == 2, jnp.nan, 1.0), jnp.arange(5) != 2
    assert jnp.isfinite(reduce(values, reduction, mask)).all()
    assert jnp.isfinite(jax.grad(lambda v: reduce(v, reduction, mask).sum())(jnp.ones(5))).all()


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigError, match="reduction = 'average'"):
        reduce(VALUES, "average")
    with pytest.raises(ShapeError, match="weights of shape"):
        reduce(VALUES, weights=jnp.ones(4))
