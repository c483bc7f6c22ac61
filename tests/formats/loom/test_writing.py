"""Networks of ours as bundles: they give the same, with images as LOOM has them; what has no form is named, all at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import random_variables
from tests.support.loom import payload
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats import save
from zerfoo_jax.formats.loom import bundle
from zerfoo_jax.formats.loom.go_json import dump
from zerfoo_jax.graph import graph_of
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    FeedForward,
    Flatten,
    KMeans,
    LayerNorm,
    MixtureOfExperts,
    MultiHeadAttention,
    PaddingMask,
    Parallel,
    Permute,
    Residual,
    RMSNorm,
    RotaryPositions,
    Sequential,
    SimpleRNN,
    Softmax,
    Split,
    Stitch,
    TextLengths,
)

TANH, RELU = Activation("tanh"), Activation("relu")
LEAKY = Activation({"name": "leaky_relu", "negative_slope": 0.1})
ATTENTION = MultiHeadAttention(2, num_kv_heads=1, causal=True, rotary=RotaryPositions(base=300.0))
MODELS = {
    "pictures": (
        (6, 5, 2),
        Sequential(
            (Conv2D(3, 3), RELU, Dropout(0.5), Conv2D(2, 2, 2, "VALID"), LEAKY, Flatten(), Dense(4), TANH, Dense(3), Softmax())
        ),
    ),
    "a chain of nodes": ((6, 5, 2), graph_of({"conv": Conv2D(3, 3), "act": TANH, "flat": Flatten(), "out": Dense(3)})),
    "sound": ((8, 2), Sequential((Conv1D(3, 3, 1, (1, 1)), TANH, Conv1D(2, 1), Flatten(), LayerNorm(), Dense(2), RELU))),
    "sequences": ((5, 3), Sequential((LSTM(4), SimpleRNN(3), Flatten(), Dense(2), Activation("sigmoid")))),
    "a transformer's block": (
        (4, 8),
        Sequential((Residual(Sequential((RMSNorm(), ATTENTION))), Residual(FeedForward(5, "silu", gated=True)), Softmax())),
    ),
    "branches": (
        (4,),
        Sequential((Parallel((Sequential((Dense(3), TANH)), Dense(2), RMSNorm())), Parallel((Dense(2), Dense(2)), "add"))),
    ),
    "a mixture": ((4,), MixtureOfExperts((Dense(3), Sequential((Dense(5), TANH, Dense(2)))), pad=True, temperature=0.7)),
    "clusters": ((4,), Sequential((Dense(3), TANH, KMeans(2, output="features", distance="cosine")))),
    "a layer alone": ((4,), Dense(3)),
    "a stitch": ((2, 3), Sequential((Permute((2, 1)), Stitch((2, 2)), TANH, Flatten(), Dense(1)))),
}


def network_of(name: str) -> Network:
    shape, model = MODELS[name]
    spec = Spec((2, *shape), jnp.float32)
    return Network(model, *random_variables(model, spec, seed=3), (spec,))


def as_loom_has_it(name: str, x: np.ndarray) -> np.ndarray:
    if name == "a stitch":
        return x.reshape(len(x), -1)
    return np.moveaxis(x, -1, 1) if name in ("pictures", "sound", "a chain of nodes") else x


def output(network: Network, x: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(network.model.apply)(network.params, network.state, x)[0])


SLOW = ("a chain of nodes", "sound", "a mixture")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in MODELS])
def test_gives_the_same(name):
    network = network_of(name)
    x = np.random.default_rng(1).standard_normal(network.specs[0].shape).astype(np.float32)
    written = bundle.from_text(bundle.to_text(network))
    want, have = output(network, x), output(written, as_loom_has_it(name, x))
    np.testing.assert_allclose(have.reshape(want.shape), want, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("layer", "shape"), [(PaddingMask(), (3,)), (Split((1, 2)), (3,)), (TextLengths(), (3,))])
def test_what_no_shape_behind_is_known_of_is_named(layer, shape):
    network = Network(layer, {}, {}, (Spec((1, *shape), jnp.float32),))
    with pytest.raises(FormatError, match=f"{type(layer).__name__} has no form"):
        bundle.to_text(network)


def test_all_that_has_no_form_is_named(tmp_path):
    model = Sequential((Dense(4), BatchNorm(), Activation("mish"), Residual(Sequential((Dense(4), GRU(4))))))
    dense = {"dense_0": {"kernel": np.ones((4, 4)), "bias": np.ones(4)}}
    network = Network(model, dense | {"residual_0": {"inner": dense}}, {}, (Spec((1, 3, 4), jnp.float32),))
    with pytest.raises(FormatError) as raised:
        save(network, tmp_path / "x.bundle.json")
    assert not list(tmp_path.iterdir())
    places = [problem.place for problem in raised.value.problems]
    assert places == ["batch_norm_0", "activation_0", "residual_0/inner/gru_0"]


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (Conv2D(2, (3, 2)), (6, 6, 2), "unequal"),
        (Conv2D(2, 3, dilation=2), (6, 6, 2), "dilation"),
        (Conv2D(2, 2), (6, 6, 2), "unequal"),  # SAME pads on one side
        (LSTM(2, bidirectional=True), (6, 2), "of these options"),
        (MultiHeadAttention(2), (6, 4), "causal"),
        (Parallel((Dense(2), Dense(2)), "multiply"), (4,), "multiply"),
        (Softmax({"name": "hierarchical", "levels": (2, 2)}), (6,), "hierarchical"),
        (FeedForward(3), (4,), "gated by silu"),
        (Residual(Dense(4), shortcut=Dense(4)), (4,), "shortcut"),
        (KMeans(2), (4,), "without a layer before it"),
        (Activation("tanh"), (4,), "here has no form"),
        (Activation("linear"), (4,), "no layer computes anything"),
    ],
    ids=str,
)
def test_options_without_a_form(layer, shape, said):
    spec = Spec((1, *shape), jnp.float32)
    with pytest.raises(FormatError, match=said):
        bundle.to_text(Network(layer, *random_variables(layer, spec), (spec,)))


def test_bad_arguments():
    network = network_of("branches")
    for options, said in (
        ({"dtype": "int3"}, "unknown dtype"),
        ({"compatibility": "lom"}, "unknown compatibility"),
        ({"grid": (3, 1)}, "do not fill a grid"),
    ):
        with pytest.raises(ConfigError, match=said):
            bundle.to_text(network, **options)
    with pytest.raises(FormatError, match="direction"):
        bundle.to_text(network, id="a\n")
    large = jax.tree.map(lambda p: 10 * p, network.params)
    too_large = Network(network.model, large, network.state, network.specs)
    with pytest.raises(FormatError, match="does not fit"):
        bundle.to_text(too_large, dtype="uint8")
    assert payload(bundle.to_text(too_large, dtype="int8"))["scale"] < 127
    with pytest.raises(FormatError, match="NaN or infinite"):
        bundle.to_text(Network(network.model, jax.tree.map(lambda p: p * np.nan, large), {}, network.specs))


def test_json_is_gos():
    assert (
        dump({"a": [], "b": {}, "c": None, "d": "é"}, indent=True) == '{\n  "a": [],\n  "b": {},\n  "c": null,\n  "d": "é"\n}'
    )
    numbers = np.float32([0.1, 1e-6, 9.9e-7, 16777216, 3e20, 1e21, -0.0, 1 / 3])
    assert dump(numbers) == "[0.1,0.000001,9.9e-7,16777216,300000000000000000000,1e+21,-0,0.33333334]"
