import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import DropBlock2D, Residual, Sequential, SpatialDropout, StochasticDepth

FAMILY = [SpatialDropout(0.3), StochasticDepth(0.3), DropBlock2D(0.3, 3)]
every_layer = pytest.mark.parametrize("layer", FAMILY, ids=lambda layer: type(layer).__name__)


def train(layer, x, key):
    return layer.apply({}, {}, x, key=key, train=True)[0]


@pytest.mark.parametrize("rate", [0.2, 0.7])
@pytest.mark.parametrize(("kind", "whole"), [(SpatialDropout, (1, 2)), (StochasticDepth, (1, 2, 3))])
def test_whole_pieces_are_dropped_at_the_named_rate_and_the_others_scaled(key, kind, whole, rate):
    y = np.asarray(train(kind(rate), jnp.ones((600, 3, 2, 5)), key))
    np.testing.assert_array_equal(y.min(whole), y.max(whole))
    pieces = y.min(whole)
    kept = pieces != 0
    np.testing.assert_allclose(pieces[kept], 1 / (1 - rate), rtol=1e-6)
    assert abs(kept.mean() - (1 - rate)) < 5 * (rate * (1 - rate) / kept.size) ** 0.5
    if kind is SpatialDropout:
        assert 0 < kept[:, 0].mean() < 1 and (kept[:, 0] != kept[:, 1]).any()  # channels fall independently


def blocks_of(centres, size):
    """The paper's block mask, written out: a block around every centre of the valid region."""
    kept = np.ones((centres.shape[0] + size - 1, centres.shape[1] + size - 1), bool)
    for i, j in zip(*np.nonzero(centres), strict=True):
        kept[i : i + size, j : j + size] = False
    return kept


@pytest.mark.parametrize(("size", "shape"), [(1, (3, 4, 5, 2)), (2, (4, 6, 5, 3)), (3, (5, 7, 9, 2)), (4, (3, 4, 4, 2))])
def test_dropblock_drops_whole_blocks_and_keeps_the_sum(key, size, shape):
    y = np.asarray(train(DropBlock2D(0.4, size), jnp.ones(shape), key))
    kept = y != 0
    np.testing.assert_allclose(y[kept], kept.size / kept.sum(), rtol=1e-6)
    for image in np.moveaxis(kept, -1, 1).reshape(-1, *shape[1:3]):
        # A dropped value lies in a dropped block: the blocks that are dropped altogether cover all that is.
        windows = np.lib.stride_tricks.sliding_window_view(image, (size, size))
        np.testing.assert_array_equal(blocks_of(~windows.any((2, 3)), size), image)


@pytest.mark.parametrize(
    ("rate", "size"), [(0.3, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((0.1, 3), (0.25, 1)))]
)
def test_dropblock_centres_come_at_the_papers_rate(rate, size):
    height, width = 12, 10
    y = jax.jit(jax.vmap(lambda k: train(DropBlock2D(rate, size), jnp.ones((4, height, width, 8)), k)))(
        jax.random.split(jax.random.key(3), 40)
    )
    gamma = rate * height * width / size**2 / ((height - size + 1) * (width - size + 1))
    # A corner lies in a single possible block, a value in the middle in size² of them.
    corner, middle = np.asarray(y[..., 0, 0, :]) == 0, np.asarray(y[..., height // 2, width // 2, :]) == 0
    for dropped, expected in ((corner, gamma), (middle, 1 - (1 - gamma) ** size**2)):
        assert abs(dropped.mean() - expected) < 5 * (expected * (1 - expected) / dropped.size) ** 0.5


def test_dropblock_may_drop_everything(key):
    y = train(DropBlock2D(0.99, 4), jnp.ones((1, 4, 4, 1)), key)
    assert not np.isnan(y).any() and len(np.unique(y)) == 1


@every_layer
def test_the_gradient_passes_where_the_value_passed(key, layer):
    x = 1 + jnp.abs(normal(0, 4, 5, 6, 3))
    y, pull = jax.vjp(lambda x: train(layer, x, key), x)
    (gradient,) = pull(jnp.ones_like(x))
    np.testing.assert_allclose(gradient, y / x, rtol=1e-5)
    assert 0 < np.mean(np.asarray(y) == 0) < 1


@every_layer
def test_is_the_identity_outside_training_and_at_rate_zero(key, layer):
    x = jnp.asarray(normal(0, 2, 5, 6, 3))
    assert layer.apply({}, {}, x, key=key)[0] is x
    assert type(layer)(0.0).apply({}, {}, x, train=True)[0] is x


@every_layer
def test_a_key_decides_and_half_precision_stays(key, layer):
    x = jnp.ones((6, 7, 7, 4), jnp.bfloat16)
    one, same, other = (train(layer, x, k) for k in (key, key, jax.random.fold_in(key, 1)))
    assert one.dtype == jnp.bfloat16 and jnp.array_equal(one, same) and not jnp.array_equal(one, other)


@every_layer
def test_nan_is_dropped_like_any_value_and_a_missing_key_is_an_error(key, layer):
    y = np.asarray(train(layer, jnp.full((6, 7, 7, 4), jnp.nan), key))
    assert np.isnan(y).any() and (y == 0).any()
    with pytest.raises(ConfigError, match=r"(?s)rate 0\.3.*pass key"):
        layer.apply({}, {}, jnp.ones((2, 7, 7, 4)), train=True)


def test_in_a_residual_block_some_examples_pass_unchanged(key):
    block, x = Residual(Sequential((StochasticDepth(0.5),))), jnp.ones((64, 3))
    y = np.asarray(block.apply({}, {}, x, key=key, train=True)[0])
    assert set(np.unique(y).tolist()) == {1.0, 3.0}


@pytest.mark.parametrize(
    ("layer", "shape", "dtype", "words"),
    [
        (SpatialDropout(0.5), (2, 3), jnp.float32, "at least 3 axes"),
        (DropBlock2D(0.5), (2, 8, 6, 3), jnp.float32, r"block_size = 7 does not fit into an image of \(8, 6\)"),
        (DropBlock2D(0.5), (2, 8, 6), jnp.float32, "4 axes"),
        (StochasticDepth(0.5), (2, 3), jnp.int32, "int32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(key, layer, shape, dtype, words):
    with pytest.raises(ShapeError, match=words):
        layer.init(key, jax.ShapeDtypeStruct(shape, dtype))


@pytest.mark.parametrize("kind", [SpatialDropout, StochasticDepth, DropBlock2D])
def test_bad_rates_are_refused(kind):
    with pytest.raises(ConfigError, match="rate"):
        kind(1.0)
