import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.metrics import MeanAbsoluteError, MeanSquareError, RootMeanSquareError


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("shape", [(6,), (1, 3), (4, 3)])
def test_agree_with_numpy(shape, scale):
    outputs, targets = normal(0, *shape), normal(1, *shape)
    weights = np.arange(shape[0], dtype=np.float32) + (shape[0] == 1)
    outputs[weights == 0] = np.nan
    counted = weights > 0
    error = (outputs - targets)[counted].astype(np.float64)
    wide = np.broadcast_to(weights[counted].reshape(-1, *(1,) * (len(shape) - 1)), error.shape)
    mae, rmse = MeanAbsoluteError(scale), RootMeanSquareError(scale)
    expected = scale * np.average(np.abs(error), weights=wide)
    np.testing.assert_allclose(mae.compute(mae.update(outputs, targets, weights)), expected, rtol=1e-5)
    expected = scale * np.sqrt(np.average(error**2, weights=wide))
    np.testing.assert_allclose(rmse.compute(rmse.update(outputs, targets, weights)), expected, rtol=1e-5)
    mse = MeanSquareError(scale)
    np.testing.assert_allclose(mse.compute(mse.update(outputs, targets, weights)), expected**2, rtol=1e-5)


@pytest.mark.parametrize("metric", [MeanAbsoluteError(), MeanSquareError(), RootMeanSquareError()])
def test_shapes_that_would_broadcast_are_refused(metric):
    with pytest.raises(ShapeError, match=r"mae|mse"):
        metric.each(jnp.zeros((4, 1)), jnp.zeros(4))


def test_a_scale_that_is_not_positive_is_refused():
    with pytest.raises(ConfigError, match="scale = 0"):
        MeanAbsoluteError(scale=0.0)
