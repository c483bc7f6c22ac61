"""Layers on codes against their equations in NumPy: integers in Python's own arithmetic, scales in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close
from zerfoo_jax import layers as L
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.forms import as_defined
from zerfoo_jax.layers import Quantized
from zerfoo_jax.layers.quantized.products import integer_product
from zerfoo_jax.numeric.quantization import unpack_nibbles


def drawn(layer, *xs, seed=0):
    """A layer with parameters that all differ from their initial values."""
    rng = np.random.default_rng(seed)
    params, state = jax.eval_shape(lambda: layer.init(jax.random.key(seed), *xs))
    return jax.tree.map(lambda p: np.asarray(rng.normal(size=p.shape) * 0.3, p.dtype), params), state


def quantized(layer, params, state=None, ranges=None, **options):
    """The layer on codes and its state."""
    wrapped = Quantized(layer, **options)
    return wrapped, {"params": wrapped.encoded(params, ranges), **({"state": state} if state else {})}


def weights_of(leaf, to, block=None):
    """The numbers that the codes of a kernel stand for, in float64."""
    codes = np.asarray(leaf["codes"])
    if to == "int4" and codes.dtype == np.uint8:
        codes = unpack_nibbles(codes, 2 * codes.shape[0])
    scale, zero = (np.asarray(leaf.get(name, 0)).astype(np.float64) for name in ("scale", "zero_point"))
    if block:
        scale, zero = (part if part.ndim == 0 else np.repeat(part, block, axis=0)[: len(codes)] for part in (scale, zero))
    return (codes.astype(np.float64) - zero) * scale


def input_codes(x, to, axes):
    """Codes less zero points, and scales, of inputs by their own ranges, in float32 as they are computed."""
    x = np.asarray(x, np.float32)
    low, high = np.minimum(x.min(axes, keepdims=True), 0), np.maximum(x.max(axes, keepdims=True), 0)
    if to == "int8":
        scale = np.maximum(-low, high) / np.float32(127)
        return np.clip(np.rint(x / scale), -128, 127).astype(np.int64), scale
    scale = (high - low) / np.float32(255)
    zero = np.clip(np.rint(-low / scale), 0, 255)
    return (np.clip(np.rint(x / scale) + zero, 0, 255) - zero).astype(np.int64), scale


@pytest.mark.parametrize(
    ("to", "inside", "block"),
    [
        ("int8", 16, None),
        ("int8", 600, None),
        ("int8", 700, 300),
        ("uint8", 600, 32),
        ("uint8", 37, None),
        ("int4", 600, None),
        ("int4", 1700, 32),
        ("int4", 33, 16),
        ("float8_e4m3fn", 600, 32),
    ],
)
def test_weights_alone_are_decoded_on_the_way(to, inside, block):
    x = np.random.default_rng(1).normal(size=(3, 2, inside)).astype(np.float32)
    params, _ = drawn(L.Dense(5), x)
    layer, state = quantized(L.Dense(5), params, to=to, activations="float", block=block)
    leaf = state["params"]["kernel"]
    assert leaf["codes"].dtype == {"int4": jnp.uint8 if inside % 2 == 0 else jnp.int8}.get(to, jnp.dtype(to))
    kernel = weights_of(leaf, to, block)
    steps = {"int8": 127, "uint8": 255, "int4": 7 if inside % 2 == 0 else 127, "float8_e4m3fn": 14}[to]
    assert np.abs(kernel - params["kernel"]).max() <= 1.01 * np.abs(params["kernel"]).max() / steps
    y = jax.jit(lambda x: layer.apply({}, state, x)[0])(x)
    assert_close(y, x.astype(np.float64) @ kernel + np.asarray(params["bias"], np.float64), 1e-5)


@pytest.mark.parametrize("to", ["int8", "uint8"])
@pytest.mark.parametrize(("rows", "inside"), [(1, 300), (7, 1100), (40, 300)])
def test_products_are_those_of_integers(to, rows, inside):
    x = np.random.default_rng(1).normal(0.3, size=(rows, inside)).astype(np.float32)
    params, _ = drawn(L.Dense(5, use_bias=False), x)
    layer, state = quantized(L.Dense(5, use_bias=False), params, to=to)
    leaf = state["params"]["kernel"]
    codes = np.asarray(leaf["codes"]).astype(np.int64) - np.asarray(leaf.get("zero_point", 0)).astype(np.int64)
    own, scale = input_codes(x, to, (1,))
    expected = (own @ codes).astype(np.float64) * scale * np.asarray(leaf["scale"])
    y = jax.jit(lambda x: layer.apply({}, state, x)[0])(x)
    # A tie may fall either way between two ways to divide: one step of one input.
    assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max() + 2 * scale.max() * np.abs(params["kernel"]).max()
    close = np.isclose(y, expected, rtol=1e-5, atol=1e-5)
    assert close.mean() > 0.9


@pytest.mark.parametrize("rows", [3, 40])
def test_sums_of_the_largest_codes_are_exact(rows):
    ends = {np.int8: (-128, 127), np.uint8: (0, 255)}
    for dtype, (low, high) in ends.items():
        x, k = np.full((rows, 2000), low, dtype), np.full((2000, 2), high, dtype)
        x[0], k[:, 1] = high, low
        zeros = (None, None) if dtype is np.int8 else (np.full((rows, 1), 255, dtype), np.zeros((1, 2), dtype))
        y = jax.jit(integer_product)(x, k, *zeros)
        wide = [0 if zero is None else zero.astype(np.int64) for zero in zeros]
        np.testing.assert_array_equal(y, (x.astype(np.int64) - wide[0]) @ (k.astype(np.int64) - wide[1]))


@pytest.mark.parametrize(
    ("cls", "shape", "to"),
    [
        (L.Conv1D, (3, 9, 200), "int8"),
        (L.Conv2D, (3, 6, 5, 8), "uint8"),
        pytest.param(L.Conv1D, (3, 9, 200), "uint8", marks=pytest.mark.slow),
        pytest.param(L.Conv2D, (3, 6, 5, 8), "int8", marks=pytest.mark.slow),
        pytest.param(L.Conv3D, (2, 4, 5, 3, 8), "int8", marks=pytest.mark.slow),
        pytest.param(L.Conv3D, (2, 4, 5, 3, 8), "uint8", marks=pytest.mark.slow),
    ],
)
def test_convolutions_are_those_of_integers(to, cls, shape):
    x = np.random.default_rng(1).normal(0.3, size=shape).astype(np.float32)
    plain = cls(4, 3, strides=2)
    params, _ = drawn(plain, x)
    layer, state = quantized(plain, params, to=to)
    leaf = state["params"]["kernel"]
    codes = np.asarray(leaf["codes"]).astype(np.float64) - np.asarray(leaf.get("zero_point", 0)).astype(np.float64)
    own, scale = input_codes(x, to, tuple(range(1, x.ndim)))
    with jax.enable_x64(True):
        sums = plain.forward({"kernel": jnp.asarray(codes), "bias": jnp.zeros(4)}, jnp.asarray(own, jnp.float64))
    expected = np.asarray(sums) * scale * np.ravel(leaf["scale"]) + np.asarray(params["bias"])
    y = jax.jit(lambda x: layer.apply({}, state, x)[0])(x)
    assert np.isclose(y, expected, rtol=1e-5, atol=1e-5).mean() > 0.9
    assert np.abs(y - expected).max() <= 2 * scale.max() * np.abs(params["kernel"]).max() + 1e-5
    float_y = plain.forward(params, x)
    assert np.abs(y - float_y).max() <= 0.03 * np.abs(float_y).max()


def test_static_activations_have_the_ranges_given_and_clip_beyond():
    x = np.array([[0.25, -3.0] * 8], np.float32)
    params = {"kernel": jnp.ones((16, 1)), "bias": jnp.zeros(1)}
    layer, state = quantized(L.Dense(1), params, ranges=lambda path: (np.float32(-1.0), np.float32(2.0)), activations="static")
    step = 2 / 127
    expected = 8 * (round(0.25 / step) - 128) * step
    assert_close(jax.jit(lambda x: layer.apply({}, state, x)[0])(x), [[expected]], 1e-5)
    layer, state = quantized(
        L.Dense(1), params, ranges=lambda path: (np.float32(-1.0), np.float32(2.0)), activations="static", to="uint8"
    )
    step = 3 / 255
    y = jax.jit(lambda x: layer.apply({}, state, x)[0])(x)
    assert_close(y, [[8 * (round(0.25 / step) - 85) * step]], 1e-5)


@pytest.mark.parametrize("activations", ["float", "dynamic"])
def test_float8_is_rounded_alike_on_both_sides(activations):
    x = np.random.default_rng(1).normal(size=(3, 300)).astype(np.float32)
    params, _ = drawn(L.Dense(5), x)
    layer, state = quantized(L.Dense(5), params, to="float8_e4m3fn", activations=activations)
    kernel = weights_of(state["params"]["kernel"], "float8")
    if activations == "dynamic":
        scale = np.abs(x).max(1, keepdims=True) / np.float32(448)
        x = (x / scale).astype("float8_e4m3fn").astype(np.float64) * scale
    assert_close(layer.apply({}, state, jnp.asarray(x, jnp.float32))[0], x @ kernel + np.asarray(params["bias"]), 1e-4)


def test_rows_of_tables_are_decoded_and_ids_outside_give_nan():
    ids = np.array([[0, 4, 2], [-1, 5, 1]])
    params, _ = drawn(L.Embedding(5, 16), ids)
    for to in ("int8", "uint8", "int4", "float8_e4m3fn"):
        layer, state = quantized(L.Embedding(5, 16), params, to=to, activations="float")
        y = np.asarray(layer.apply({}, state, ids)[0])
        assert np.isnan(y[1, :2]).all()
        expected = weights_of(state["params"]["embedding"], to)
        assert_close(y[0], expected[[0, 4, 2]], 1e-6)
        assert np.abs(expected - params["embedding"]).max() < 0.07


BLOCK = L.TransformerEncoderBlock(L.MultiHeadAttention(2, causal=True), L.FeedForward(32), L.LayerNorm())
MODELS = {
    "transformer": (L.Sequential((L.Embedding(9, 16), L.Stack(BLOCK, 2), L.VocabularyHead(9))), np.array([[1, 5, 2, 8]])),
    "recurrent": (L.Sequential((L.GRU(16), L.Dense(3))), np.random.default_rng(0).normal(size=(2, 5, 16)).astype(np.float32)),
    "images": (
        L.Sequential((L.Conv2D(16, 3), L.BatchNorm(), L.DepthwiseConv2D(3), L.ConvTranspose2D(4, 2), L.Flatten(), L.Dense(3))),
        np.random.default_rng(0).normal(size=(2, 4, 4, 8)).astype(np.float32),
    ),
}


@pytest.mark.parametrize(
    ("name", "to"),
    [("images", "int8"), ("recurrent", "uint8"), ("transformer", "int8")]
    + [
        pytest.param(*case, marks=pytest.mark.slow)
        for case in (("images", "uint8"), ("recurrent", "int8"), ("transformer", "uint8"))
    ],
)
def test_whole_models_stay_close_to_what_they_were(name, to):
    model, x = MODELS[name]
    params, state = drawn(model, x)
    state = jax.tree.map(lambda s: np.full(s.shape, 0.5, s.dtype), state)
    y = jax.jit(lambda x: model.apply(params, state, x)[0])(x)
    for activations in ("float", "dynamic"):
        layer, held = quantized(model, params, state, to=to, activations=activations)
        found = jax.jit(lambda x, layer=layer, held=held: layer.apply({}, held, x)[0])(x)
        assert found.dtype == y.dtype
        assert np.abs(found - y).max() <= 0.06 * np.abs(y).max()
        codes = [path[-1].key for path, _ in jax.tree_util.tree_leaves_with_path(held["params"])].count("codes")
        assert codes == {"transformer": 8, "recurrent": 3, "images": 3}[name]


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ConfigError, match=r"Quantized.to = 'int4' does not go with activations = 'dynamic'"):
        Quantized(L.Dense(3), "int4")
    with pytest.raises(ConfigError, match=r"Quantized.block = 3 with int4, two to a byte"):
        Quantized(L.Dense(3), "int4", "float", 3)
    with pytest.raises(ConfigError, match=r"Quantized.block = 32 does not go with activations = 'static'"):
        Quantized(L.Dense(3), activations="static", block=32)


@pytest.mark.parametrize(("to", "activations"), [("int8", "dynamic"), ("uint8", "dynamic"), ("int4", "float")])
def test_what_a_translator_sees_computes_the_same(to, activations):
    x = np.random.default_rng(1).normal(0.3, size=(3, 600)).astype(np.float32)
    params, _ = drawn(L.Dense(5), x)
    layer, state = quantized(L.Dense(5), params, to=to, activations=activations)
    y = jax.jit(lambda x: layer.apply({}, state, x)[0])(x)
    with as_defined():
        assert_close(jax.jit(lambda x: layer.apply({}, state, x)[0])(x), y, 1e-5)
