import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
import zerfoo_jax.layers as L

CASES = [
    (3, (2, 7, 3)),  # bins that overlap
    (4, (2, 8, 3)),  # even ones
    (5, (1, 3, 2)),  # more outputs than elements
    (2, (2, 5, 4, 3)),
    ((1, 3), (1, 6, 7, 2)),
    ((3, 1, 2), (2, 4, 5, 6, 2)),
]


def pool(kind, axes):
    return getattr(L, f"Adaptive{kind}Pool{axes}D")


def oracle(torch, kind, size):
    def run(params, x):
        pool = getattr(torch.nn.functional, f"adaptive_{kind.lower()}_pool{x.ndim - 2}d")
        return pool(x.movedim(-1, 1), size).movedim(1, -1)

    return run


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize(("size", "shape"), CASES)
def test_agrees_with_torch(torch, kind, size, shape):
    against_torch(torch, pool(kind, len(shape) - 2)(size), oracle(torch, kind, size), normal(sum(shape), *shape))


@pytest.mark.oracle
@pytest.mark.parametrize(("size", "shape"), CASES)
def test_at_ties_the_gradient_goes_where_torch_sends_it(torch, size, shape):
    x = np.round(np.maximum(normal(1, *shape), 0))
    against_torch(torch, pool("Max", len(shape) - 2)(size), oracle(torch, "Max", size), x)


@pytest.mark.parametrize("kind", ["Avg", "Max"])
def test_gradients_agree_with_finite_differences(kind):
    against_finite_differences(pool(kind, 2)((2, 3)), normal(3, 1, 5, 4, 2))


def test_half_precision_means_are_summed_in_float32():
    x = np.ones((1, 64, 1), np.float16)
    x[0, 0] = 2048  # to which float16 cannot add 1
    mean = jax.jit(L.AdaptiveAvgPool1D(1).forward)({}, x)
    assert mean.dtype == jnp.float16
    np.testing.assert_allclose(mean.ravel(), [(2048 + 63) / 64], rtol=1e-3)


@pytest.mark.parametrize("kind", ["Avg", "Max"])
def test_what_does_not_fit_is_refused(key, kind):
    with pytest.raises(ConfigError, match="output_size"):
        pool(kind, 2)((1, 2, 3))
    with pytest.raises(ShapeError, match="batch, length, channels"):
        pool(kind, 1)(2).init(key, jax.ShapeDtypeStruct((2, 4, 4, 3), jnp.float32))
    with pytest.raises(ShapeError, match="no element"):
        pool(kind, 2)(2).init(key, jax.ShapeDtypeStruct((2, 0, 4, 3), jnp.float32))


@pytest.mark.oracle
@pytest.mark.parametrize("size", [4, (6, 9)])
def test_bins_whose_pattern_repeats_agree_with_torch(torch, size):
    x = normal(4, 2, 10, 15, 3)
    for kind in ("Avg", "Max"):
        against_torch(torch, pool(kind, 2)(size), oracle(torch, kind, size), x)


def test_nan_shows_in_its_bins_only_and_takes_their_gradient():
    x = jnp.zeros((1, 5, 1)).at[0, 2].set(jnp.nan)
    y, pull = jax.vjp(lambda x: L.AdaptiveMaxPool1D(2).forward({}, x), x)
    assert jnp.isnan(y).ravel().tolist() == [True, True]  # elements 0 to 2, and 2 to 4
    assert pull(jnp.ones_like(y))[0].ravel().tolist() == [0, 0, 2, 0, 0]
    assert jnp.isnan(L.AdaptiveMaxPool1D(5).forward({}, x)).ravel().tolist() == [False, False, True, False, False]
