import os

import pytest

from zerfoo_jax.experiment.packaged import packaged_configs
from zerfoo_jax.experiment.reading import read_config


def test_without_a_name_the_packaged_configs_are_listed(invoke):
    result = invoke("init")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(packaged_configs())
    assert all(len(line.split()) > 3 for line in result.stdout.splitlines()), "each with a sentence"


@pytest.mark.parametrize("name", packaged_configs())
def test_a_copy_is_a_config(invoke, name, tmp_path):
    path = tmp_path / "mine.yaml"
    result = invoke("init", name, "-o", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert path.read_text() == packaged_configs()[name].read_text()
    assert read_config(path)[0].name == name


def test_the_copy_goes_here_by_default_and_is_never_overwritten(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("init", "digits_mlp").exit_code == 0
    assert os.listdir() == ["digits_mlp.yaml"]
    (tmp_path / "digits_mlp.yaml").write_text("mine")
    result = invoke("init", "digits_mlp")
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert (tmp_path / "digits_mlp.yaml").read_text() == "mine"


@pytest.mark.parametrize("output", ["", "no/such/folder/x.yaml"])
def test_a_place_that_cannot_be_written(invoke, tmp_path, output):
    result = invoke("init", "digits_mlp", "--output", tmp_path / output)
    assert result.exit_code == 2
    assert "--output" in result.stderr


def test_an_unknown_name(invoke):
    result = invoke("init", "digits_mpl")
    assert result.exit_code == 2
    assert "did you mean 'digits_mlp'?" in result.stderr
