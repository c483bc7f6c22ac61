"""The config key `engine`: the same run on every engine, and where it broke on `debug`."""

import json

import pytest

from tests.support.command_line import TINY
from zerfoo_jax.experiment import outcome

SHORT = ["train.steps=3", "train.evaluate_every=3", "logging.every=1", "logging.tensorboard=false"]


@pytest.fixture
def trained(invoke, tmp_path, monkeypatch):
    """Runs the tiny config for three steps with these settings in a folder of that name; gives the losses."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)

    def run(name, *settings):
        result = invoke("train", "tiny.yaml", *SHORT, *settings, "--run", name)
        assert result.exit_code == 0, result.stderr
        lines = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        return [line.get("train/loss", line.get("validation/loss")) for line in lines]

    return run


def test_losses_are_the_same_on_every_engine(trained, tmp_path):
    expected = trained("xla")
    assert len(expected) == 4
    for folder, engine in (("eager", "eager"), ("debug", "{name: debug, nodes: dense_0}")):
        assert trained(folder, f"engine={engine}") == pytest.approx(expected, rel=1e-6)
    records = [json.loads(line) for line in (tmp_path / "debug" / "debug.jsonl").read_text().splitlines()]
    assert {r["node"] for r in records} == {"dense_0"}
    assert {r["function"] for r in records} == {"training_step", "evaluation_step"}
    assert {r["call"] for r in records if r["function"] == "training_step"} == {0, 1, 2}
    summary = json.loads((tmp_path / "xla" / "summary.json").read_text())
    assert summary["compilations"] == 1


def test_a_run_goes_on_with_another_engine(trained, invoke):
    trained("run")
    assert invoke("train", "tiny.yaml", *SHORT, "engine=eager", "--run", "run").exit_code == 0


def test_what_diverges_is_named_with_exit_code_3(invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY.replace("tanh", "relu"))
    result = invoke("train", "tiny.yaml", *SHORT, "engine=debug", "optimizer={name: sgd, learning_rate: 1e25}", "--run", "run")
    assert result.exit_code == outcome.DIVERGED
    assert "dot_general float32[32,12] float32[12,10] -> float32[32,10] made" in result.stderr
    assert "at dense_1, in the forward pass" in result.stderr and "layers/dense.py:" in result.stderr


def test_an_unknown_engine_is_named_with_its_line(invoke, tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY + "engine: {name: debug, node: a}\n")
    result = invoke("check", tmp_path / "tiny.yaml")
    assert result.exit_code == outcome.CONFIG
    assert "Debug has no option 'node'" in result.stderr and "tiny.yaml:15:" in result.stderr and "engine" in result.stderr
