"""Edges that a first user met: empty batches, ties, confident predictions, and options given from Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import (
    ACTIVATIONS,
    LSTM,
    Conv2D,
    ConvTranspose2D,
    Dense,
    DepthwiseConv2D,
    GlobalMaxPool,
    MultiHeadAttention,
    PixelShuffle,
    PixelUnshuffle,
    RotaryPositions,
    SeparableConv2D,
)
from zerfoo_jax.losses import cross_entropy, focal, huber, mae, quantile, smooth_l1, softmax_focal, triplet, wasserstein
from zerfoo_jax.models import MODELS


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (MultiHeadAttention(2, rotary=RotaryPositions()), (0, 3, 8), (0, 3, 8)),
        (MultiHeadAttention(2), (2, 0, 8), (2, 0, 8)),
        (Conv2D(3, 1), (0, 5, 5, 2), (0, 5, 5, 3)),
        (ConvTranspose2D(3, 4, 2), (0, 5, 5, 2), (0, 10, 10, 3)),
        (DepthwiseConv2D(3), (0, 5, 5, 2), (0, 5, 5, 2)),
        (SeparableConv2D(3, 3), (0, 5, 5, 2), (0, 5, 5, 3)),
        (GlobalMaxPool(), (0, 4, 4, 3), (0, 3)),
        (LSTM(3), (0, 4, 2), (0, 4, 3)),
        (PixelShuffle(2), (0, 4, 4, 4), (0, 8, 8, 1)),
        (PixelUnshuffle(2), (0, 4, 4, 3), (0, 2, 2, 12)),
    ],
)
def test_an_empty_batch_passes(key, layer, shape, expected):
    params, state = layer.init(key, jax.ShapeDtypeStruct(shape, jnp.float32))
    assert layer.apply(params, state, jnp.zeros(shape))[0].shape == expected


@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("logit", [20.0, 90.0])
def test_focal_losses_have_a_slope_where_the_prediction_is_sure(gamma, logit):
    softmax = jax.grad(lambda x: softmax_focal(x, jnp.array([0]), gamma=gamma).sum())(jnp.array([[logit, 0.0]]))
    sigmoid = jax.grad(lambda x: focal(x, jnp.ones(1), gamma=gamma, alpha=None).sum())(jnp.array([logit]))
    assert jnp.isfinite(softmax).all() and jnp.isfinite(sigmoid).all()
    if gamma == 0:
        expected = jax.grad(lambda x: cross_entropy(x, jnp.array([0])).sum())(jnp.array([[logit, 0.0]]))
        np.testing.assert_allclose(softmax, expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [mae, lambda x, t: smooth_l1(x, t, beta=0.0), wasserstein])
def test_a_right_answer_has_no_slope(loss):
    x = jnp.array([[0.5, 0.5], [0.25, 0.75]])
    assert jax.grad(lambda x: loss(x, jax.lax.stop_gradient(x)).sum())(x).tolist() == [[0, 0], [0, 0]]


def test_softplus_does_not_overflow_in_half_precision():
    assert ACTIVATIONS["softplus"](jnp.float16(3e4), beta=2.5) == jnp.float16(3e4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: huber(jnp.ones(2), jnp.zeros(2), delta=-1.0), r"huber\.delta = -1\.0"),
        (lambda: cross_entropy(jnp.zeros((1, 2)), jnp.array([1]), label_smoothing=1.5), r"label_smoothing = 1\.5"),
        (lambda: quantile(jnp.ones(2), jnp.ones(2), quantiles=(1.5,)), r"quantiles"),
        (lambda: triplet((jnp.ones((1, 2)),) * 3, jnp.zeros(1), p=0.5), r"triplet\.p = 0\.5"),
        (lambda: ACTIVATIONS["celu"](jnp.ones(2), alpha=0.0), r"celu\.alpha = 0\.0"),
        (lambda: MODELS["unet"](widths=()), r"unet\.widths = \(\)"),
        (lambda: MODELS["resnet18"](widths=(1, 2)), r"resnet18\.widths = \(1, 2\)"),
        (lambda: MODELS["resnet18"](classes=3), "did you mean 'num_classes'"),
        (lambda: MultiHeadAttention(2, rotary=Dense(3)), "RotaryPositions"),
    ],
)
def test_bad_options_are_refused_from_python_too(call, words):
    with pytest.raises(ConfigError, match=words):
        call()
