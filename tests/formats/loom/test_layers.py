"""Every layer of LOOM's first generation from files made here, beside a transcription of its formulas in NumPy; and back."""

import base64
import json
import math

import jax
import numpy as np
import pytest

from tests.support import loom
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.loom import bundle
from zerfoo_jax.formats.loom.numbers import NUMBERS


def dense(n: int, m: int, activation: str = "tanh") -> dict:
    return {"type": "dense", "activation": activation, "input_height": n, "output_height": m}


def layer(kind: str, **given: object) -> dict:
    return {"type": kind, "activation": "relu", **given}


CONV1D = layer("conv1d", input_channels=2, filters=3, kernel_size=3, stride=2, padding=2, input_length=7) | {
    "activation": "softplus"
}
CONV2D = layer("conv2d", input_channels=2, filters=3, kernel_size=2, stride=2, padding=1, input_height=5, input_width=4)
CONV3D = layer("conv3d", input_channels=1, filters=2, kernel_size=2, stride=1, input_depth=3, input_height=2, input_width=4)
ATTENTION = layer("multi_head_attention", d_model=8, num_heads=4, seq_length=3)
POSITIONS = [{"branch_index": 0, "target_row": 1, "target_col": 0}, {"branch_index": 1, "target_row": 0, "target_col": 1}]
UNEVEN = [dense(4, 3), dense(4, 2, "sigmoid"), dense(4, 3, "leaky_relu")]
MODELS: dict[str, tuple[int, list[dict]]] = {
    **{f"dense {name}": (4, [dense(4, 3, name)]) for name in loom.ACTIVATIONS},
    "dense on rows": (12, [dense(4, 3)]),
    "conv1d": (14, [CONV1D]),
    "conv2d": (40, [CONV2D]),
    "conv3d": (24, [CONV3D]),
    "two convolutions and a dense layer": (
        40,
        [CONV2D, layer("conv2d", input_channels=3, filters=2, kernel_size=2, input_height=3, input_width=3), dense(8, 3)],
    ),
    "rnn": (10, [layer("rnn", input_size=2, hidden_size=3, seq_length=5)]),
    "lstm and dense": (10, [layer("lstm", input_size=2, hidden_size=3, seq_length=5), dense(15, 2)]),
    "attention": (24, [ATTENTION]),
    "attention with fewer keys": (24, [ATTENTION | {"kv": 4, "rope_freq_base": 500.0}]),
    "layer norm": (12, [layer("layer_norm", norm_size=6, epsilon=0.01)]),
    "rms norm": (12, [layer("rms_norm", norm_size=4)]),
    "swiglu": (8, [layer("swiglu", input_height=4, output_height=6)]),
    "embedding": (3, [layer("embedding", vocab_size=7, embedding_dim=4, seq_length=3), dense(12, 2)]),
    "kmeans": (4, [layer("kmeans", branches=[dense(4, 2)], num_clusters=3, cluster_dim=2, kmeans_temperature=0.7)]),
    "kmeans of features": (
        4,
        [layer("kmeans", branches=[dense(4, 2)], num_clusters=3, cluster_dim=2, kmeans_output_mode="features")],
    ),
    "softmax": (6, [layer("softmax", softmax_variant="standard", temperature=0.5)]),
    "softmax temperature": (6, [layer("softmax", softmax_variant="temperature", temperature=2.0)]),
    "softmax grid": (6, [layer("softmax", softmax_variant="grid", softmax_rows=3, softmax_cols=2, temperature=2.0)]),
    "softmax hierarchical": (6, [layer("softmax", softmax_variant="hierarchical", hierarchy_levels=[2, 3])]),
    "softmax masked": (3, [layer("softmax", softmax_variant="masked", mask=[True, False, True], temperature=0.7)]),
    "softmax sparse": (6, [layer("softmax", softmax_variant="sparse", temperature=1.5)]),
    "softmax adaptive": (6, [layer("softmax", softmax_variant="adaptive", adaptive_clusters=[[0, 1], [2]])]),
    "softmax mixture": (6, [layer("softmax", softmax_variant="mixture", mixture_weights=[0.5, 0.5])]),
    "parallel concat": (4, [layer("parallel", branches=UNEVEN)]),
    "parallel add": (4, [layer("parallel", branches=UNEVEN, combine_mode="add")]),
    "parallel average": (4, [layer("parallel", branches=UNEVEN, combine_mode="avg")]),
    "parallel filter without a gate": (4, [layer("parallel", branches=UNEVEN, combine_mode="filter")]),
    "parallel filter": (
        4,
        [layer("parallel", branches=UNEVEN, combine_mode="filter", filter_gate=dense(4, 3, "relu"), filter_temperature=0.5)],
    ),
    "parallel grid": (
        4,
        [
            layer("parallel", branches=UNEVEN[:2], combine_mode="grid_scatter", grid_positions=POSITIONS)
            | {"grid_output_rows": 2, "grid_output_cols": 2, "grid_output_layers": 1}
        ],
    ),
    "sequential": (4, [layer("sequential", branches=[dense(4, 5), dense(5, 3, "relu")]), dense(3, 2)]),
    "nested": (
        4,
        [
            layer(
                "parallel",
                branches=[
                    layer("sequential", branches=[dense(4, 6), layer("parallel", branches=[dense(6, 2), dense(6, 1)])]),
                    layer("sequential", branches=[dense(4, 4), layer("layer_norm", norm_size=4)]),
                ],
            ),
            dense(7, 2, "sigmoid"),
        ],
    ),
    "residual": (4, [dense(4, 4), layer("residual"), dense(4, 3)]),
    "residuals that do nothing": (4, [layer("residual"), dense(4, 3), layer("residual")]),
    "a residual around a convolution": (
        12,
        [
            layer("conv2d", input_channels=1, filters=1, kernel_size=3, padding=1, input_height=3, input_width=4),
            layer("residual"),
        ],
    ),
}


def made(name: str, seed: int) -> tuple[list[dict], list[dict], np.ndarray]:
    """Layers, weights and an input."""
    size, layers = MODELS[name]
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 7, size) if name == "embedding" else rng.standard_normal(size).astype(np.float32)
    return layers, [loom.drawn(one, rng) for one in layers], x


@pytest.mark.parametrize("name", MODELS)
def test_gives_what_its_formula_gives(name):
    apply = None
    for seed in range(3):
        layers, weights, x = made(name, seed)
        network = bundle.from_text(loom.bundle(layers, weights))
        apply = apply or jax.jit(network.model.apply)
        x = x.astype(network.specs[0].dtype)
        both, wanted = np.stack([x, x[::-1]]), network.specs[0].shape[1:]
        # What begins with rows of so many numbers takes any number of rows.
        both = both if wanted == (1,) or math.prod(wanted) == x.size else both.reshape(2, -1, *wanted)
        y = np.asarray(apply(network.params, network.state, both)[0])
        for row, given in zip(y, (x, x[::-1]), strict=True):
            np.testing.assert_allclose(row.ravel(), loom.sequence(layers, weights, given), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "residuals that do nothing"])
def test_comes_out_as_it_went_in(name):
    layers, weights, _ = made(name, 4)
    network = bundle.from_text(loom.bundle(layers, weights))
    if network.specs[0].shape == (1, 1):
        network = with_input(network, MODELS[name][0])
    text = bundle.to_text(network, id="m")
    written = json.loads(text)["models"][0]["cfg"]["layers"]
    if not name.startswith("softmax"):  # some have two names
        assert [kinds(one) for one in written] == [kinds(one) for one in layers]
    equal(loom.payload(text)["layers"], loom.plain(weights))
    again = bundle.from_text(text)
    assert jax.tree.all(jax.tree.map(np.array_equal, again.params, network.params))
    assert (again.model == network.model) or network.specs[0].shape == (1, MODELS[name][0])


def with_input(network, size):
    return type(network)(network.model, network.params, network.state, (jax.ShapeDtypeStruct((1, size), np.float32),))


def kinds(one: dict) -> object:
    return one["type"], [kinds(inner) for inner in one.get("branches", [])]


def equal(written: object, given: object) -> None:
    """Every number has the same float32 bits."""
    if isinstance(given, dict):
        assert set(written) == set(given)
        for name in given:
            equal(written[name], given[name])
    elif given and isinstance(given[0], dict):
        for one, other in zip(written, given, strict=True):
            equal(one, other)
    else:
        np.testing.assert_array_equal(np.float32(written).view(np.uint32), np.float32(given).view(np.uint32))


@pytest.mark.parametrize("dtype", NUMBERS)
def test_codes_come_out_as_they_went_in(dtype):
    """Cut off, as LOOM writes them, and rounded, as we do."""
    layers, weights, _ = made("nested", 5)
    network = clipped(bundle.from_text(loom.bundle(layers, weights)))
    for option in ("loom", None):
        text = bundle.to_text(network, dtype=dtype, compatibility=option)
        again = bundle.to_text(bundle.from_text(text), dtype=dtype)
        assert loom.payload(text) == loom.payload(again)
        assert json.loads(text)["version"] == 2


def clipped(network):
    params = jax.tree.map(lambda p: np.clip(p, -0.99, 0.99), network.params)
    return type(network)(network.model, params, network.state, network.specs)


def test_several_models_and_grids(tmp_path):
    cells = [
        dense(4, 4),
        dense(4, 4, "relu"),
        dense(4, 4, "sigmoid"),
        dense(4, 3),
        dense(3, 3),
        dense(3, 2),
        dense(2, 2),
        dense(2, 1),
    ]
    rng = np.random.default_rng(6)
    weights = [loom.drawn(one, rng) for one in cells]
    x = rng.standard_normal(4).astype(np.float32)
    network = bundle.from_text(loom.bundle(cells, weights, (2, 2, 2)))
    y = jax.jit(network.model.apply)(network.params, network.state, x[None])[0]
    np.testing.assert_allclose(np.asarray(y)[0], loom.sequence(cells, weights, x), atol=1e-6)
    path = tmp_path / "two.bundle.json"
    bundle.write({"one": network, "two": bundle.from_text(loom.bundle(cells[:1], weights[:1]))}, path)
    assert bundle.read(path, id="one").model == network.model
    assert bundle.read(path, id="two").specs[0].shape == (1, 4)
    text = bundle.to_text(network, grid=(2, 4))
    config = json.loads(text)["models"][0]["cfg"]
    assert (config["grid_rows"], config["grid_cols"], config["layers_per_cell"]) == (2, 4, 1)
    assert bundle.from_text(text.encode()).model == network.model


@pytest.mark.parametrize(
    "one",
    [
        layer("softmax", softmax_variant="sparse"),
        layer("softmax", softmax_variant="entmax", entmax_alpha=1.3),
        layer("softmax", softmax_variant="adaptive", temperature=3.0),
        layer("softmax", softmax_variant="mixture", temperature=3.0),
    ],
    ids=lambda one: one["softmax_variant"],
)
def test_looms_faults_are_to_be_had(one):
    x = np.float32([0.1, -0.2, 0.3, -0.4])
    text = loom.bundle([one], [{}])
    theirs, ours = (np.asarray(bundle.from_text(text, compatibility=option)(x[None]))[0] for option in ("loom", None))
    np.testing.assert_allclose(theirs, loom.softmax(one, {}, x, loom=True), atol=1e-6)
    np.testing.assert_allclose(ours.sum(), 1, atol=1e-6)
    assert not np.allclose(ours, theirs, atol=1e-3)


def test_linear_is_looms_relu_if_loom_is_asked_for():
    layers = [dense(4, 3, "linear")]
    weights = [loom.drawn(layers[0], np.random.default_rng(0))]
    x = np.float32([1, -2, 3, -4])
    text = loom.bundle(layers, weights)
    theirs = np.asarray(bundle.from_text(text, compatibility="loom")(x[None]))[0]
    np.testing.assert_allclose(theirs, loom.run(dense(4, 3, "relu"), weights[0], x), atol=1e-5)
    assert (np.asarray(bundle.from_text(text)(x[None])) < 0).any()
    with pytest.raises(FormatError, match="LOOM reads a layer without an activation"):
        bundle.to_text(bundle.from_text(text), compatibility="loom")


def test_a_gate_is_left_out_for_loom():
    layers, weights, x = made("parallel filter", 1)
    network = bundle.from_text(loom.bundle(layers, weights))
    text = bundle.to_text(network, compatibility="loom")
    assert "filter_gate" not in json.loads(text)["models"][0]["cfg"]["layers"][0]
    mean = loom.sequence([layers[0] | {"combine_mode": "avg"}], weights, x)
    network = bundle.from_text(text)
    y = jax.jit(network.model.apply)(network.params, {}, x[None])[0]
    np.testing.assert_allclose(np.asarray(y)[0], mean, atol=1e-6)


def test_loom_cuts_codes_off_and_we_round():
    layers = [dense(3, 1)]
    weights = [{"kernel": np.float32([0.999, -0.999, 0.3]), "biases": np.float32([0.0])}]
    network = bundle.from_text(loom.bundle(layers, weights))

    def codes(dtype: str, option: str | None) -> list[int]:
        data = loom.payload(bundle.to_text(network, dtype=dtype, compatibility=option))["layers"][0]["kernel"]
        return np.frombuffer(base64.b64decode(data), np.uint8 if dtype in ("uint8", "int4") else np.int8).tolist()

    assert codes("int8", "loom") == [126, -126, 38]
    assert codes("int8", None) == [127, -127, 38]
    assert codes("uint8", "loom") == [254, 0, 165]
    assert codes("uint8", None) == [255, 0, 166]
    assert codes("int4", "loom") == [0, 0]  # all but nothing is left
    assert codes("int4", None) == [0x79, 0x20]
