"""`zerfoo codegen`: every form, from every kind of source, and files that are kept."""

import pytest

from tests.graph.writing.test_forms import load
from zerfoo_jax.experiment.packaged import packaged_configs
from zerfoo_jax.graph import from_json, from_yaml, graph_of, read_model, to_json, to_yaml
from zerfoo_jax.layers import Activation, Dense
from zerfoo_jax.models import lenet

SMALL = graph_of({"0": Dense(8, kernel_init={"name": "normal", "stddev": 0.02}), "relu": Activation("relu")})


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "small-net.yaml"
    path.write_text(to_yaml(SMALL))
    return path


def test_prints_the_class_of_a_model_file(invoke, source):
    result = invoke("codegen", source)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "class SmallNet(Declared):" in result.stdout
    assert load(result.stdout.replace("SmallNet", "Model")) == SMALL


def test_writes_the_form_of_the_suffix_or_the_one_asked_for(invoke, source, tmp_path):
    for name in ("a.yaml", "b.json", "c.yml"):
        assert invoke("codegen", source, "-o", tmp_path / name).stdout == f"{tmp_path / name}\n"
        assert read_model(tmp_path / name) == SMALL
    invoke("codegen", tmp_path / "b.json", "-o", tmp_path / "d.py", "--name", "Digits")
    assert "class Digits(Declared):" in (tmp_path / "d.py").read_text()
    assert from_json(invoke("codegen", source, "--to", "json").stdout) == SMALL


def test_an_architecture_takes_its_options(invoke):
    result = invoke("codegen", "lenet", "num_classes=3", "--to", "yaml")
    assert from_yaml(result.stdout) == lenet(num_classes=3)


def test_a_packaged_config_is_written_without_training(invoke):
    assert "class DigitsMlp(Declared):" in invoke("codegen", "digits_mlp").stdout
    assert "digits_mlp" in packaged_configs()


def test_a_file_is_kept_unless_told(invoke, source, tmp_path):
    path = tmp_path / "model.py"
    path.write_text("mine")
    result = invoke("codegen", source, "-o", path)
    assert (result.exit_code, path.read_text()) == (2, "mine")
    assert "--force" in result.stderr
    assert invoke("codegen", source, "-o", path, "--force").exit_code == 0
    assert "SmallNet" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere.yaml",), "nowhere.yaml"),
        (("lenet", "--name", "3x"), "cannot name the class"),
        (("lenet", "-o", "no/such/folder/x.py"), "choose another place"),
        (("lenet", "--to", "toml"), "toml"),
        (("lenet", "num_clases=3"), "did you mean 'num_classes'"),
    ],
)
def test_mistakes_are_refused(invoke, arguments, words):
    result = invoke("codegen", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_model_called_as_a_layer_gets_a_name_of_its_own(invoke, tmp_path):
    (tmp_path / "dense.json").write_text(to_json(Dense(3)))
    assert "class DenseModel(Declared):" in invoke("codegen", tmp_path / "dense.json").stdout
