"""LOOM's own files: what they give is what LOOM recorded, and a bundle comes out as it went in."""

import base64
from functools import partial
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from zerfoo_jax.core.layer import abstract
from zerfoo_jax.formats import detect, load, summarize
from zerfoo_jax.formats.loom import bundle, entity, wire
from zerfoo_jax.graph.editing.network import Network

DATA = Path(__file__).parents[2] / "data" / "loom"
BUNDLES = sorted(path.name.removesuffix(".bundle.json") for path in DATA.glob("bundle/*.bundle.json"))
WIRES = sorted(path.name.removesuffix(".wire.json") for path in DATA.glob("v080/*.wire.json"))
MORE = json.loads((DATA / "v080_more.json").read_text())
"""Written by LOOM 0.80.0, with what it gave: by name `wire`, `entity` as base64, `input`, `shape`, `output`."""
LOOMS_FAULT = {"res_in", "softmax_Entmax"}
QUICK = {"cnn3", "conv_transposed_2d", "emb", "grid", "kmeans_f", "mha2", "nest", "res_in", "rms", "softmax_Sparse", "swiglu"}


def quick(name: str) -> bool:
    return name in QUICK or name.startswith(("dtype", "activation"))


def recorded(folder: str, name: str) -> dict:
    return json.loads((DATA / folder / f"{name}.io.json").read_text())


def output(network: Network, x: np.ndarray) -> np.ndarray:
    x = x.astype(network.specs[0].dtype)
    return np.asarray(evaluated(network.model, network.params, network.state, x)).ravel()


@partial(jax.jit, static_argnums=0)  # equal models share a program
def evaluated(model, params, state, x):
    return model.apply(params, state, x)[0]


def parameters_are_those_of_the_model(network: Network) -> bool:
    return abstract(jax.eval_shape(network.model.init, jax.random.key(0), *network.specs)[0]) == abstract(network.params)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_gives_what_loom_recorded(name):
    path = DATA / "bundle" / f"{name}.bundle.json"
    assert detect(path).name == "loom"
    network, io = load(path), recorded("bundle", name)
    x = np.array(io["input"], np.float32)[None]
    np.testing.assert_allclose(output(network, x), io["output"], rtol=0, atol=1e-6)
    if network.specs[0].shape != (1, 1):  # nothing says how many numbers a lone softmax takes
        assert parameters_are_those_of_the_model(network)
    weights = sum(tensor.shape[0] for tensor in summarize(path).tensors)
    assert weights == sum(leaf.size for leaf in jax.tree.leaves(network.params)) or name == "sequential"


@pytest.mark.parametrize("name", [name for name in BUNDLES if name != "sequential"])
def test_a_bundle_is_written_as_loom_wrote_it(name, tmp_path):
    path = DATA / "bundle" / f"{name}.bundle.json"
    network = bundle.read(path)
    assert bundle.to_text(network, id=name) == path.read_text()
    bundle.write(network, tmp_path / "again.bundle.json", id=name)
    assert (tmp_path / "again.bundle.json").read_bytes() == path.read_bytes()


def test_a_picture_may_also_come_in_its_shape():
    path, io = DATA / "bundle" / "conv2d.bundle.json", recorded("bundle", "conv2d")
    x = np.array(io["input"], np.float32).reshape(1, 1, 4, 4)
    np.testing.assert_allclose(output(load(path), x), io["output"], rtol=0, atol=1e-6)


def test_what_loom_left_empty_is_zero_and_keeps_its_form():
    network = bundle.read(DATA / "bundle" / "sequential.bundle.json")
    assert all(not leaf.any() for leaf in jax.tree.leaves(network.params))
    layers = json.loads(bundle.to_text(network, id="s"))["models"][0]["cfg"]["layers"]
    assert layers == json.loads((DATA / "bundle" / "sequential.bundle.json").read_text())["models"][0]["cfg"]["layers"]


@pytest.mark.parametrize("name", WIRES)
def test_the_second_generation_gives_what_loom_recorded(name):
    wired, binary = (DATA / "v080" / f"{name}{extension}" for extension in (".wire.json", ".entity"))
    assert (detect(wired).name, detect(binary).name) == ("loom_wire", "entity")
    network, io = load(wired), recorded("v080", name)
    x = np.array(io["input"], np.float32).reshape(io["shape"])
    assert network.specs[0].shape == x.shape
    np.testing.assert_allclose(output(network, x), io["output"], rtol=0, atol=1e-6)
    same(network, load(binary))
    assert [t.shape for t in summarize(wired).tensors] == [t.shape for t in summarize(binary).tensors]
    assert parameters_are_those_of_the_model(network)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if quick(name) else pytest.mark.slow) for name in MORE])
def test_more_of_the_second_generation(name):
    one = MORE[name]
    option = "loom" if name in LOOMS_FAULT else None
    text = json.dumps(one["wire"])
    network = wire.from_text(text, compatibility=option)
    x = np.array(one["input"], np.float32).reshape(one["shape"])
    np.testing.assert_allclose(output(network, x), one["output"], rtol=0, atol=1e-6)
    same(network, entity.from_bytes(base64.b64decode(one["entity"]), compatibility=option))


RMS_NORM_INT8 = (
    "RU5USVRZAAABAAAAYQEAAAAAAAB7ImZvcm1hdF92ZXJzaW9uIjoxLCJuZXR3b3JrIjp7ImlkIjoibmV0d29yayIsImRlcHRo"
    "IjoxLCJyb3dzIjoxLCJjb2xzIjoxLCJsYXllcnNfcGVyX2NlbGwiOjEsImxheWVycyI6W3sieiI6MCwieSI6MCwieCI6MCwi"
    "bCI6MCwidHlwZSI6IlJNU05vcm0iLCJhY3RpdmF0aW9uIjoiTGluZWFyIiwiZHR5cGUiOiJpbnQ4IiwiaW5wdXRfaGVpZ2h0"
    "Ijo0LCJvdXRwdXRfaGVpZ2h0Ijo0LCJzb2Z0bWF4X3R5cGUiOiJTdGFuZGFyZCJ9XX0sImJsb2JzIjpbeyJwYXRoIjoibGF5"
    "ZXJzLjAiLCJvZmZzZXQiOjAsImxlbmd0aCI6MTYsImR0eXBlIjoiZmxvYXQzMiIsInNjYWxlIjowLjAwMDYxMTE5MDcsIm5h"
    "dGl2ZSI6dHJ1ZX1dfdoiKT3f9549Z8ZoOTPv9To="
)
"""A layer of int8 as LOOM 0.80.0 writes it: the blob is float32, beside a scale that is not for it."""


def test_a_blob_has_a_type_of_its_own():
    network = entity.from_bytes(base64.b64decode(RMS_NORM_INT8))
    x = np.array([[1.116, -1.507, 0.26, 1.862]], np.float32)
    np.testing.assert_allclose(output(network, x), [0.03470888, -0.08810359, 4.3472006e-05, 0.0026314124], rtol=0, atol=1e-6)


def same(one: Network, other: Network) -> None:
    assert one.model == other.model
    assert jax.tree.all(jax.tree.map(np.array_equal, one.params, other.params))


def test_a_residual_adds_unless_it_is_to_be_looms():
    one = MORE["res_in"]
    x = np.array(one["input"], np.float32)[None]
    np.testing.assert_allclose(output(wire.from_text(json.dumps(one["wire"])), x), one["output"] + x[0], rtol=0, atol=1e-6)


def test_ordinary_training_gives_looms_weights():
    """LOOM's mean squared error has the gradient (y - t) / 1 for each example, one step after the other."""
    run = json.loads((DATA / "golden" / "train_mse.json").read_text())
    network = bundle.from_text(json.dumps(as_bundle(run["layers"], run["before"])))

    def loss(params, x, t):
        y = network.model.apply(params, network.state, x)[0]
        return ((y - t) ** 2).sum() / 2

    step = jax.jit(jax.grad(loss))
    params = network.params
    for _ in run["result"]["LossHistory"]:
        for x, t in zip(run["inputs"], run["targets"], strict=True):
            gradient = step(params, np.float32([x]), np.float32([t]))
            params = jax.tree.map(lambda p, g: p - np.float32(run["lr"]) * g, params, gradient)
    after = bundle.from_text(json.dumps(as_bundle(run["layers"], run["after"])))
    jax.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=0, atol=1e-6), params, after.params)


def as_bundle(layers: list, weights: list) -> dict:
    layers = [{"type": layer["type"], "activation": layer["activation"]} | sizes_of(layer) for layer in layers]
    data = base64.b64encode(json.dumps({"type": "float32", "dtype": "", "layers": weights}).encode()).decode()
    config = {"id": "m", "batch_size": 1, "grid_rows": 1, "grid_cols": 1, "layers_per_cell": len(layers), "layers": layers}
    model = {"id": "m", "cfg": config, "weights": {"fmt": "jsonModelB64", "data": data}}
    return {"type": "modelhost/bundle", "version": 1, "models": [model]}


def sizes_of(layer: dict) -> dict:
    return {"input_height": layer["input_size"], "output_height": layer["output_size"]}
