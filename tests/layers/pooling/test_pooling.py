import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import AvgPool1D, AvgPool2D, AvgPool3D, MaxPool1D, MaxPool2D, MaxPool3D

GEOMETRIES = [
    ({"window": 2}, {"kernel_size": 2}, (2, 6, 4, 3)),
    ({"window": 2}, {"kernel_size": 2}, (1, 7, 5, 2)),  # a remainder is left out
    ({"window": (3, 2), "strides": (2, 1)}, {"kernel_size": (3, 2), "stride": (2, 1)}, (2, 8, 5, 1)),
    ({"window": 2, "strides": 3}, {"kernel_size": 2, "stride": 3}, (1, 9, 7, 2)),  # gaps between windows
    (
        {"window": 3, "strides": 2, "padding": ((1, 1), (1, 1))},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        (2, 7, 6, 3),
    ),
    ({"window": 3, "strides": 1, "padding": "SAME"}, {"kernel_size": 3, "stride": 1, "padding": 1}, (1, 1, 4, 2)),
    ({"window": 2, "strides": 3}, {"kernel_size": 2, "stride": 3}, (2, 9, 3)),
    ({"window": 3, "strides": 2, "padding": (1, 1)}, {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 8, 3)),
    ({"window": 2}, {"kernel_size": 2}, (2, 4, 5, 6, 2)),
    (
        {"window": (2, 3, 4), "strides": (1, 2, 3), "padding": ((0, 0), (1, 1), (2, 2))},
        {"kernel_size": (2, 3, 4), "stride": (1, 2, 3), "padding": (0, 1, 2)},
        (1, 3, 6, 5, 2),
    ),
]
MAX, AVG = {3: MaxPool1D, 4: MaxPool2D, 5: MaxPool3D}, {3: AvgPool1D, 4: AvgPool2D, 5: AvgPool3D}


def pool_oracle(torch, kind, options):
    def oracle(params, x):
        pool = getattr(torch.nn.functional, f"{kind}_pool{x.ndim - 2}d")
        return pool(x.movedim(-1, 1), **options).movedim(1, -1)

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("ours", "theirs", "shape"), GEOMETRIES)
def test_max_and_its_gradient_agree_with_torch_also_at_ties(torch, ours, theirs, shape, ties):
    x = normal(sum(shape), *shape)
    x = np.round(np.maximum(x, 0)) if ties else x
    against_torch(torch, MAX[len(shape)](**ours), pool_oracle(torch, "max", theirs), x)


@pytest.mark.oracle
@pytest.mark.parametrize("padding_counts", [False, True])
@pytest.mark.parametrize(("ours", "theirs", "shape"), GEOMETRIES)
def test_mean_agrees_with_torch(torch, ours, theirs, shape, padding_counts):
    oracle = pool_oracle(torch, "avg", {**theirs, "count_include_pad": padding_counts})
    against_torch(torch, AVG[len(shape)](**ours, count_include_padding=padding_counts), oracle, normal(1, *shape))


def test_same_padding_puts_the_odd_row_below_and_right():
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    assert AvgPool2D(2, 2, "SAME").forward({}, x)[0, :, :, 0].tolist() == [[2.0, 3.5], [6.5, 8.0]]
    assert MaxPool2D(2, 2, "SAME").forward({}, -x)[0, :, :, 0].tolist() == [[0.0, -2.0], [-6.0, -8.0]]


def test_nan_shows_in_its_window_only():
    x = jnp.zeros((1, 4, 4, 1)).at[0, 1, 0].set(jnp.nan)
    assert jnp.isnan(MaxPool2D(2).forward({}, x))[0, :, :, 0].tolist() == [[True, False], [False, False]]


def test_gradient_at_a_tie_goes_to_the_first_in_row_order():
    grad = jax.grad(lambda x: MaxPool2D(2).forward({}, x).sum())(jnp.zeros((1, 2, 2, 1)))
    assert grad[0, :, :, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    grad = jax.grad(lambda x: MaxPool2D(2).forward({}, x).sum())(jnp.array([[[[0.0], [1.0]], [[1.0], [0.0]]]]))
    assert grad[0, :, :, 0].tolist() == [[0.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("layer", [MaxPool2D(2, 1), AvgPool2D((2, 3), 1, "SAME")])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(3, 1, 3, 4, 2))


def test_half_precision_means_are_summed_in_float32():
    x = np.ones((1, 8, 8, 1), np.float16)
    x[0, 0, 0] = 2048  # to which float16 cannot add 1
    mean = jax.jit(AvgPool2D(8).forward)({}, x)
    assert mean.dtype == jnp.float16
    np.testing.assert_allclose(mean.ravel(), [(2048 + 63) / 64], rtol=1e-3)


@pytest.mark.parametrize("pool", [MaxPool2D, AvgPool2D])
def test_bad_geometry_is_refused(key, pool):
    with pytest.raises(ConfigError, match="window = 0"):
        pool(0)
    with pytest.raises(ConfigError, match="padding"):
        pool(2, 1, ((2, 0), (0, 0)))
    with pytest.raises(ShapeError, match="does not fit"):
        pool(3).init(key, jax.ShapeDtypeStruct((1, 2, 8, 1), jnp.float32))
    with pytest.raises(ShapeError, match="4 axes"):
        pool(2).init(key, jax.ShapeDtypeStruct((2, 8, 1), jnp.float32))


def test_pools_of_other_axes_refuse_by_name(key):
    with pytest.raises(ShapeError, match="batch, length, channels"):
        MaxPool1D(2).init(key, jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32))
    with pytest.raises(ShapeError, match="batch, depth, height, width, channels"):
        AvgPool3D(2).init(key, jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32))
    with pytest.raises(ConfigError, match=r"MaxPool1D.padding = \(2, 0\) is not below the window"):
        MaxPool1D(2, padding=(2, 0))
