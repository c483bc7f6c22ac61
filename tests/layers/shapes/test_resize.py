import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Pad, PixelShuffle, PixelUnshuffle, Upsample


def channels_last(function):
    return lambda params, x: function(x.movedim(-1, 1)).movedim(1, -1)


@pytest.mark.oracle
@pytest.mark.parametrize("method", ["nearest", "bilinear"])
@pytest.mark.parametrize(
    ("scale", "shape"), [(2, (2, 3, 4, 2)), ((1, 3), (1, 4, 2, 3)), ((4, 5), (2, 1, 3, 1)), (3, (1, 1, 1, 2))]
)
def test_upsampling_agrees_with_torch(torch, method, scale, shape):
    factors = scale if isinstance(scale, tuple) else (scale, scale)
    options = {"align_corners": False} if method == "bilinear" else {}
    oracle = channels_last(torch.nn.Upsample(scale_factor=factors, mode=method, **options))
    against_torch(torch, Upsample(scale, method), oracle, normal(sum(shape), *shape))


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(2, 3, 5, 12), (1, 1, 2, 4)])
def test_shuffling_agrees_with_torch(torch, shape):
    against_torch(torch, PixelShuffle(2), channels_last(torch.nn.PixelShuffle(2)), normal(0, *shape))


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(2, 6, 3, 2), (1, 3, 9, 1)])
def test_unshuffling_agrees_with_torch(torch, shape):
    against_torch(torch, PixelUnshuffle(3), channels_last(torch.nn.PixelUnshuffle(3)), normal(0, *shape))


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("amounts", "shape"),
    [(((1, 2),), (2, 3, 2)), (((2, 0), (1, 3)), (2, 3, 4, 1)), (((0, 1), (1, 0), (2, 1)), (1, 2, 3, 4, 2))],
)
@pytest.mark.parametrize(("mode", "theirs"), [("constant", "constant"), ("edge", "replicate"), ("reflect", "reflect")])
def test_padding_agrees_with_torch(torch, mode, theirs, amounts, shape):
    flat = [n for pair in reversed(amounts) for n in pair]  # torch names the last axis first
    value = {"value": 1.5} if mode == "constant" else {}
    oracle = channels_last(lambda x: torch.nn.functional.pad(x, flat, theirs, **value))
    against_torch(torch, Pad(amounts, mode, **value), oracle, normal(1, *shape))


@pytest.mark.parametrize("layer", [Upsample((2, 3), "bilinear"), Pad(((1, 2), (0, 1)), "reflect")])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(3, 1, 3, 4, 2))


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Upsample(2), (2, 3, 4), "batch, height, width, channels"),
        (PixelShuffle(3), (2, 3, 4, 12), "12 channels, not a multiple of factor² = 9"),
        (PixelUnshuffle(3), (2, 3, 4, 12), "3 x 4 pixels"),
        (Pad(((1, 1),)), (2, 3, 4, 1), "1 spatial axes"),
        (Pad(((0, 3),), "reflect"), (2, 3, 4), "too few elements"),
        (Pad(((0, 3),), "edge"), (2, 0, 4), "too few elements"),
    ],
)
def test_bad_inputs_are_refused_at_init(key, layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.init(key, jax.ShapeDtypeStruct(shape, jnp.float32))


def test_bad_options_are_refused_by_name():
    with pytest.raises(ConfigError, match="scale = 0"):
        Upsample(0)
    with pytest.raises(ConfigError, match="method = 'cubic'"):
        Upsample(2, "cubic")
    with pytest.raises(ConfigError, match="amounts"):
        Pad(((-1, 0),))
