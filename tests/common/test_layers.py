"""Every member of LAYERS keeps the contract. A new member needs one example here."""

from functools import cache
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.spec import layer_from_spec, layer_to_spec
import zerfoo_jax.layers as L
from zerfoo_jax.layers import LAYERS

SEQUENCE, IMAGE, VECTOR, IDS = normal(0, 3, 5, 6), normal(1, 3, 6, 5, 4), normal(2, 3, 6), np.array([[1, 2], [0, 3], [3, 3]])
LENGTHS = np.array([2, 5, 3], np.int32)
VOLUME = normal(3, 3, 2, 4, 3, 2)
MASK = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 1, 0], [1, 1, 1, 1, 1]], bool)[:, None, None]

EXAMPLES = {
    "Activation": (L.Activation({"name": "leaky_relu", "negative_slope": 0.3}), (VECTOR,)),
    "AdaptiveAvgPool1D": (L.AdaptiveAvgPool1D(3), (SEQUENCE,)),
    "AdaptiveAvgPool2D": (L.AdaptiveAvgPool2D((4, 5)), (IMAGE,)),
    "AdaptiveAvgPool3D": (L.AdaptiveAvgPool3D(2), (VOLUME,)),
    "AdaptiveMaxPool1D": (L.AdaptiveMaxPool1D(3), (SEQUENCE,)),
    "AdaptiveMaxPool2D": (L.AdaptiveMaxPool2D((4, 5)), (IMAGE,)),
    "AdaptiveMaxPool3D": (L.AdaptiveMaxPool3D(2), (VOLUME,)),
    "AdaptiveSoftmax": (L.AdaptiveSoftmax(5, (2, 3), div_value=2.0), (VECTOR,)),
    "Add": (L.Add(), (VECTOR, 2 * VECTOR, VECTOR)),
    "AdversarialPair": (L.AdversarialPair(L.Dense(6), L.Sequential((L.Dense(3), L.Dropout(0.5), L.Dense(1))), 2), (VECTOR,)),
    "AvgPool1D": (L.AvgPool1D(2, padding=(1, 0), count_include_padding=True), (SEQUENCE,)),
    "AvgPool2D": (L.AvgPool2D((2, 3), 2, "SAME"), (IMAGE,)),
    "AvgPool3D": (L.AvgPool3D((2, 1, 3)), (VOLUME,)),
    "BatchNorm": (L.BatchNorm(momentum=0.5), (IMAGE,)),
    "Bias": (L.Bias(), (SEQUENCE,)),
    "ClassToken": (L.ClassToken("normal"), (SEQUENCE,)),
    "Concatenate": (L.Concatenate(1), (VECTOR, VECTOR[:, :2])),
    "Conv1D": (L.Conv1D(6, 3, padding=(2, 0), groups=6), (SEQUENCE,)),
    "Conv2D": (L.Conv2D(4, (3, 2), strides=2, padding=((1, 0), (0, 1)), groups=2), (IMAGE,)),
    "Conv3D": (L.Conv3D(4, (2, 3, 1), dilation=(1, 2, 1)), (VOLUME,)),
    "ConvTranspose1D": (L.ConvTranspose1D(3, 2, 2, (1, 0)), (SEQUENCE,)),
    "ConvTranspose2D": (L.ConvTranspose2D(4, 3, 2, groups=2), (IMAGE,)),
    "ConvTranspose3D": (L.ConvTranspose3D(3, 2, (1, 2, 1), "VALID"), (VOLUME,)),
    "CrossAttention": (L.CrossAttention(2, 1, qk_norm=L.LayerNorm(), dropout=0.1), (SEQUENCE, normal(4, 3, 5, 4), MASK)),
    "Dense": (L.Dense(3), (SEQUENCE,)),
    "DepthwiseConv2D": (L.DepthwiseConv2D(3, 2, multiplier=2), (IMAGE,)),
    "DropBlock2D": (L.DropBlock2D(0.3, 2), (IMAGE,)),
    "Dropout": (L.Dropout(0.5), (VECTOR,)),
    "Embedding": (L.Embedding(4, 3), (IDS.astype(np.int32),)),
    "FeedForward": (L.FeedForward(5, "silu", gated=True, dropout=0.1), (SEQUENCE,)),
    "FirstToken": (L.FirstToken(), (SEQUENCE,)),
    "Flatten": (L.Flatten(), (IMAGE,)),
    "FractionalMaxPool2D": (L.FractionalMaxPool2D(2, output_ratio=0.6), (IMAGE,)),
    "Frozen": (L.Frozen(L.Sequential((L.Dense(3), L.Dropout(0.5), L.BatchNorm()))), (VECTOR,)),
    "GRU": (L.GRU(3), (SEQUENCE,)),
    "GaussianBottleneck": (L.GaussianBottleneck(3, kl_weight=0.5), (VECTOR,)),
    "GlobalAttention": (L.GlobalAttention(4), (SEQUENCE, MASK[:, 0, 0])),
    "GlobalAvgPool": (L.GlobalAvgPool(), (IMAGE,)),
    "GroupNorm": (L.GroupNorm(2, epsilon=0.1), (IMAGE,)),
    "GumbelSoftmax": (L.GumbelSoftmax(0.5), (VECTOR,)),
    "GlobalMaxPool": (L.GlobalMaxPool(), (IMAGE,)),
    "InstanceNorm": (L.InstanceNorm(use_bias=False), (SEQUENCE,)),
    "KMeans": (L.KMeans(4, 0.7, output="features"), (SEQUENCE,)),
    "LSTM": (L.LSTM(3, return_sequences=False), (SEQUENCE,)),
    "LayerNorm": (L.LayerNorm(use_bias=False), (SEQUENCE,)),
    "LearnedPositions": (L.LearnedPositions(7), (SEQUENCE,)),
    "LoRA": (L.LoRA(L.FeedForward(5), 2, 4.0, match=("up", "d*"), dropout=0.5), (SEQUENCE,)),
    "MaskedMean": (L.MaskedMean(), (SEQUENCE, np.arange(15).reshape(3, 5) % 4 != 0)),
    "MaxPool1D": (L.MaxPool1D(3, 2), (SEQUENCE,)),
    "MaxPool2D": (L.MaxPool2D(2), (IMAGE,)),
    "MixtureSoftmax": (L.MixtureSoftmax(5, 2, 3), (VECTOR,)),
    "MaxPool3D": (L.MaxPool3D(2, 1), (VOLUME,)),
    "MixtureOfExperts": (L.MixtureOfExperts((L.Dense(3), L.Dense(3), L.Dense(3)), top_k=2, balance_weight=0.1), (VECTOR,)),
    "MultiHeadAttention": (
        L.MultiHeadAttention(4, 2, head_dim=2, qk_norm=L.RMSNorm(), dropout=0.1, causal=True, rotary=L.RotaryPositions(50.0)),
        (SEQUENCE,),
    ),
    "Multiply": (L.Multiply(), (VECTOR, VECTOR)),
    "PReLU": (L.PReLU(per_channel=True), (SEQUENCE,)),
    "Pad": (L.Pad(((1, 0), (2, 1)), "reflect"), (IMAGE,)),
    "PaddingMask": (L.PaddingMask(), (IDS.astype(np.int32),)),
    "Parallel": (L.Parallel((L.Dense(3), L.Dense(2), L.Dropout(0.5))), (SEQUENCE,)),
    "PatchEmbedding": (L.PatchEmbedding(3, (3, 5)), (IMAGE,)),
    "Permute": (L.Permute((3, 1, 2)), (IMAGE,)),
    "PixelShuffle": (L.PixelShuffle(2), (IMAGE,)),
    "PixelUnshuffle": (L.PixelUnshuffle(1), (IMAGE,)),
    "Quantized": (L.Quantized(L.Sequential((L.FeedForward(9), L.Dense(3)))), (SEQUENCE,)),
    "RMSNorm": (L.RMSNorm(), (VECTOR,)),
    "Reshape": (L.Reshape((3, 2)), (VECTOR,)),
    "Residual": (L.Residual(L.Dense(3), L.Dense(3, use_bias=False)), (VECTOR,)),
    "RotaryPositions": (
        L.RotaryPositions(100.0, "interleaved", 2, {"name": "linear", "factor": 2.0}),
        (normal(4, 3, 5, 2, 4),),
    ),
    "SeparableConv2D": (L.SeparableConv2D(3, (2, 3)), (IMAGE,)),
    "Sequential": (L.Sequential((L.Dense(3), L.Activation("relu"), L.Dropout(0.5), L.BatchNorm())), (VECTOR,)),
    "SimpleRNN": (L.SimpleRNN(3, bidirectional=True), (SEQUENCE, LENGTHS)),
    "SinusoidalPositions": (L.SinusoidalPositions(base=100.0), (SEQUENCE,)),
    "Slice": (L.Slice(1, step=2), (SEQUENCE,)),
    "Softmax": (L.Softmax({"name": "entmax", "alpha": 1.3}), (SEQUENCE,)),
    "SpatialDropout": (L.SpatialDropout(0.5), (IMAGE,)),
    "Split": (L.Split((1, 3, 2)), (SEQUENCE,)),
    "SqueezeExcitation": (L.SqueezeExcitation(3, "silu"), (IMAGE,)),
    "Stack": (L.Stack(L.Residual(L.Sequential((L.LayerNorm(), L.Dense(6), L.Dropout(0.5)))), 2), (SEQUENCE,)),
    "Stitch": (L.Stitch((2, 4)), (IMAGE,)),
    "StochasticDepth": (L.StochasticDepth(0.5), (SEQUENCE,)),
    "TextEncoder": (L.TextEncoder(L.Embedding(4, 6), L.MultiHeadAttention(2)), (IDS.astype(np.int32), IDS > 0)),
    "TextLengths": (L.TextLengths(), (IDS.astype(np.int32),)),
    "TiedEmbedding": (L.TiedEmbedding(4, 3, L.Dense(3), scale_inputs=True), (IDS.astype(np.int32),)),
    "TokenEmbeddings": (L.TokenEmbeddings(4, 3, 5), (IDS.astype(np.int32), (IDS % 2).astype(np.int32))),
    "TransformerDecoderBlock": (
        L.TransformerDecoderBlock(L.MultiHeadAttention(2, causal=True), L.CrossAttention(3), L.FeedForward(4), L.LayerNorm()),
        (SEQUENCE, normal(4, 3, 5, 4), MASK[:, 0, 0]),
    ),
    "TransformerEncoderBlock": (
        L.TransformerEncoderBlock(L.MultiHeadAttention(2), L.FeedForward(4), L.RMSNorm(), pre_norm=False, dropout=0.1),
        (SEQUENCE, MASK),
    ),
    "Upsample": (L.Upsample((2, 3), "bilinear"), (IMAGE,)),
    "VocabularyHead": (L.VocabularyHead(4, use_bias=True), (SEQUENCE,)),
}

GIVE_NO_FLOATS = {"PaddingMask", "TextLengths"}
TAKE_IDS = {"Embedding", "TextEncoder", "TiedEmbedding", "TokenEmbeddings", *GIVE_NO_FLOATS}
PARAMETER_NAMES = {"kernel", "bias", "scale", "embedding", "slope", "centers"}

every_member = pytest.mark.parametrize("name", sorted(LAYERS))


def cast(tree, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.asarray(x), tree)


@cache
def initialised(name):
    layer, xs = EXAMPLES[name]
    return layer, *jax.jit(lambda key: layer.init(key, *xs))(jax.random.key(0)), xs


@cache
def output(name):
    layer, params, state, xs = initialised(name)
    return jax.jit(lambda *xs: layer.apply(params, state, *xs))(*xs)


def test_every_member_has_an_example_and_every_example_a_member():
    assert sorted(EXAMPLES) == sorted(LAYERS)
    assert all(type(EXAMPLES[name][0]) is LAYERS[name] and LAYERS[name].__name__ == name for name in LAYERS)


@every_member
def test_has_a_docstring_of_its_own_with_an_example(name):
    text = LAYERS[name].__doc__
    assert text and not text.startswith(f"{name}(") and ">>>" in text


@every_member
def test_initial_parameters_are_finite_float32_under_known_names(name):
    _, params, state, _ = initialised(name)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        assert path[-1].key in PARAMETER_NAMES, jax.tree_util.keystr(path)
        assert leaf.dtype == jnp.float32 and jnp.isfinite(leaf).all(), jax.tree_util.keystr(path)
    floating = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert all(leaf.dtype == jnp.float32 for leaf in floating)


@every_member
def test_a_row_comes_out_alike_alone_in_a_batch_and_under_vmap(name):
    layer, params, state, xs = initialised(name)
    y, _ = output(name)
    alone = jax.jit(lambda *xs: layer.apply(params, state, *xs)[0])(*(x[1:2] for x in xs))
    mapped = jax.jit(jax.vmap(lambda *xs: layer.apply(params, state, *xs)[0]))(*(x[:, None] for x in xs))
    jax.tree.map(lambda alone, y: assert_close(alone, y[1:2], 1e-5), alone, y)
    jax.tree.map(lambda mapped, y: assert_close(mapped[:, 0], y, 1e-5), mapped, y)


@every_member
def test_trains_with_a_key_under_jit_and_grad(name):
    if name in GIVE_NO_FLOATS:
        pytest.skip("nothing to differentiate")
    layer, params, state, xs = initialised(name)

    @jax.jit
    def loss_and_gradient(params, key):
        def loss(params):
            y, new_state = layer.apply(params, state, *xs, key=key, train=True)
            return sum(jnp.sum(jnp.sin(part)) for part in jax.tree.leaves(y)), new_state

        return jax.value_and_grad(loss, has_aux=True)(params)

    (loss, new_state), grads = loss_and_gradient(params, jax.random.key(1))
    assert jnp.isfinite(loss)
    assert jax.tree.map(jnp.shape, grads) == jax.tree.map(jnp.shape, params)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))
    assert jax.eval_shape(lambda: new_state) == jax.eval_shape(lambda: state)


@every_member
@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_half_precision_in_is_the_same_out(name, dtype):
    layer, params, state, xs = initialised(name)
    half_params, half_xs = cast(params, dtype), cast(xs, dtype)
    start = params if name in TAKE_IDS else half_params  # integers say nothing of the precision wanted
    assert jax.eval_shape(lambda: layer.init(jax.random.key(0), *half_xs)) == jax.eval_shape(lambda: (start, state))
    y, half_state = jax.jit(lambda *xs: layer.apply(half_params, state, *xs))(*half_xs)
    wide, wide_state = output(name)
    for part, wide_part in zip(jax.tree.leaves(y), jax.tree.leaves(wide), strict=True):
        assert part.dtype == (wide_part.dtype if name in GIVE_NO_FLOATS else dtype)
        assert_close(part.astype(jnp.float32), wide_part, 0.05)
    assert jax.eval_shape(lambda: half_state) == jax.eval_shape(lambda: wide_state) == jax.eval_shape(lambda: state)


@every_member
def test_integer_inputs_are_refused_or_stay_integer(name):
    layer, xs = EXAMPLES[name]
    if name in TAKE_IDS:
        pytest.skip("turns integers into vectors by purpose")
    try:
        given = check(layer, *(jax.ShapeDtypeStruct(x.shape, jnp.int32) for x in xs))
    except ShapeError as error:
        assert "floating" in str(error)
    else:
        assert all(part.dtype == jnp.int32 for part in jax.tree.leaves(given))


@every_member
def test_is_a_value(name):
    layer, _ = EXAMPLES[name]
    twin = pickle.loads(pickle.dumps(layer))
    assert twin == layer and hash(twin) == hash(layer) and twin is not layer
    assert layer_from_spec(layer_to_spec(layer), LAYERS) == layer
