"""Everything a command line may mean by MODEL."""

import json

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.model_source import open_model, read_model
from zerfoo_jax.graph import graph_of, model_to_spec
from zerfoo_jax.layers import Dense
from zerfoo_jax.models import MODELS, TYPICAL_INPUTS

GRAPH = {"inputs": {"x": {"shape": [None, 3]}}, "nodes": {"d": {"type": "Dense", "features": 2}}}


def shapes(opened):
    return [(spec.shape, str(spec.dtype)) for spec in opened.specs], opened.walk.visits[-1].output.shape


@pytest.mark.parametrize("text", [json.dumps(GRAPH), "inputs: {x: {shape: [null, 3]}}\nnodes: {d: {type: Dense, features: 2}}"])
def test_a_file_with_declared_inputs(tmp_path, text):
    path = tmp_path / "small.yaml"
    path.write_text(text)
    opened = open_model(str(path))
    assert (opened.name, *shapes(opened)) == ("small", [((1, 3), "float32")], (1, 2))
    assert read_model(str(path)) == opened.model
    assert shapes(open_model(str(path), inputs=["5,3"]))[1] == (5, 2)


def test_open_rows_are_as_many_as_another_input_declares(tmp_path):
    path = tmp_path / "sum.json"
    path.write_text(json.dumps({"inputs": {"x": {"shape": [None, 3]}, "y": {"shape": [4, 3]}}, "nodes": {"sum": "Add"}}))
    assert shapes(open_model(str(path)))[1] == (4, 3)


def test_a_layer_needs_the_shape_of_its_input(tmp_path):
    path = tmp_path / "dense.json"
    path.write_text(json.dumps(model_to_spec(Dense(4))))
    assert read_model(str(path)) == Dense(4)
    assert shapes(open_model(str(path), inputs=["2,3"]))[1] == (2, 4)
    with pytest.raises(ConfigError, match="--input"):
        open_model(str(path))


def test_an_architecture_takes_options_and_has_usual_inputs():
    assert shapes(open_model("lenet", ["num_classes=7"])) == ([((1, 28, 28, 1), "float32")], (1, 7))
    small = ["image_shape=[4, 6, 1]", "features=3", "widths=[2]"]
    assert shapes(open_model("autoencoder", small))[1] == (1, 4, 6, 1)
    assert set(TYPICAL_INPUTS) <= set(MODELS)


def test_a_config_brings_its_data():
    opened = open_model("digits_mlp", ["model={name: mlp, features: 10, hidden: [5]}"])
    assert (opened.name, *shapes(opened)) == ("digits_mlp", [((1, 8, 8, 1), "float32")], (1, 10))


def test_several_inputs_are_given_in_order(tmp_path):
    path = tmp_path / "sum.yaml"
    path.write_text("inputs: [x, y]\nnodes: {s: {type: Add, inputs: [x, y]}}")
    assert shapes(open_model(str(path), inputs=["2,3", "2,3"]))[1] == (2, 3)
    with pytest.raises(ConfigError, match=rf"(?s)equal shapes.*{path}:2:\d+ \(model.nodes.s\)"):
        open_model(str(path), inputs=["2,3", "2,4"])


@pytest.mark.parametrize(
    ("source", "overrides", "inputs", "words"),
    [
        ("lenett", (), (), "did you mean 'lenet'"),
        ("lenet", ("num_clases=7",), (), "no option 'num_clases'"),
        ("lenet", ("num_classes",), (), "without a value"),
        ("mlp", (), (), "needs 'features'"),
        ("lenet", (), ("1,28x28",), "is no shape"),
        ("lenet", (), ("1,28,28,1:float31",), "no dtype"),
        ("lenet", (), ("1,28,28",), "4 axes"),
        ("lenet", (), ("1,28,28,1", "2"), "got 2"),
    ],
)
def test_what_is_wrong_is_named(source, overrides, inputs, words):
    with pytest.raises(ConfigError, match=words):
        open_model(source, overrides, inputs)


def test_a_broken_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("nodes:\n  d: {type: Dens, features: 2}\n")
    with pytest.raises(ConfigError, match=rf"(?s)unknown layer 'Dens'.*{path}:2:\d+"):
        open_model(str(path), inputs=["2,3"])
    assert graph_of({"d": Dense(2)}).input_names == ("inputs",)
