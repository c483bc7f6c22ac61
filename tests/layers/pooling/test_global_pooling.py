import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers import GlobalAvgPool, GlobalMaxPool

SHAPES = [(2, 5, 3), (1, 3, 4, 2), (2, 2, 3, 2, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_covers_every_spatial_axis(shape):
    x = normal(0, *shape)
    np.testing.assert_allclose(GlobalAvgPool().forward({}, x), x.mean(tuple(range(1, x.ndim - 1))), rtol=1e-6, atol=1e-7)


@pytest.mark.oracle
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_maximum_and_its_gradient_agree_with_torch_also_at_ties(torch, shape, ties):
    x = normal(1, *shape)
    x = np.round(np.maximum(x, 0)) if ties else x

    def oracle(params, x):
        pool = getattr(torch.nn.functional, f"adaptive_max_pool{x.ndim - 2}d")
        return pool(x.movedim(-1, 1), 1).flatten(1)

    against_torch(torch, GlobalMaxPool(), oracle, x)


@pytest.mark.parametrize("layer", [GlobalAvgPool(), GlobalMaxPool()])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(3, 1, 3, 4, 2))


def test_a_nan_shows_in_its_channel():
    x = jnp.zeros((1, 3, 2)).at[0, 1, 0].set(jnp.nan)
    assert jnp.isnan(GlobalMaxPool().forward({}, x)).tolist() == [[True, False]]


def test_half_precision_means_are_summed_in_float32():
    x = np.ones((1, 64, 1), np.float16)
    x[0, 0] = 2048  # to which float16 cannot add 1
    mean = jax.jit(GlobalAvgPool().forward)({}, x)
    assert mean.dtype == jnp.float16
    np.testing.assert_allclose(mean.ravel(), [(2048 + 63) / 64], rtol=1e-3)


@pytest.mark.parametrize("layer", [GlobalAvgPool(), GlobalMaxPool()])
def test_a_spatial_axis_is_needed(key, layer):
    with pytest.raises(ShapeError, match="at least 3 axes"):
        layer.init(key, jax.ShapeDtypeStruct((2, 8), jnp.float32))


def test_no_elements_have_no_maximum(key):
    with pytest.raises(ShapeError, match="no element"):
        GlobalMaxPool().init(key, jax.ShapeDtypeStruct((2, 0, 8), jnp.float32))
