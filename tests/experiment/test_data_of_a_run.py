"""A run and its data: parts that fit, data that stays the same, folders that move, units that come back."""

import json
from pathlib import Path
import signal
import subprocess

import numpy as np
import pytest

from tests.support.runs import start, summary, tiny_run, zerfoo

CONFIG = """
name: moved
model: {type: Dense, features: 3}
data: {name: arrays, path: data.npz}
optimizer: {name: adam}
train: {steps: 20, batch_size: 8, evaluate_every: 10}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def write_data(path: Path, seed: int = 0, **changes: np.ndarray) -> None:
    rng = np.random.default_rng(seed)
    arrays = {
        "inputs": rng.normal(size=(60, 4)).astype(np.float32),
        "targets": np.arange(60) % 3,
        "validation_inputs": rng.normal(size=(9, 4)).astype(np.float32),
        "validation_targets": np.arange(9) % 3,
    }
    np.savez(path, **{**arrays, **changes})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "c.yaml").write_text(CONFIG)
    write_data(folder / "data.npz")
    return folder


def run(cache: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return zerfoo(cache, "train", project / "c.yaml", "--run", project / "run", *arguments)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"validation_inputs": np.zeros((9, 3), np.float32)}, "for validation"),
        ({"validation_inputs": np.zeros((0, 4), np.float32), "validation_targets": np.zeros(0, int)}, "both parts need some"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_training(
    cache: Path, project: Path, changes: dict[str, np.ndarray], words: str
) -> None:
    write_data(project / "data.npz", **changes)
    result = run(cache, project)
    assert result.returncode == 2
    assert words in result.stderr
    assert not (project / "run").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.batch_size=61", "more than the 60 training examples"),
        ("model={type: Activation, function: relu}", "no parameters"),
    ],
)
def test_a_run_that_cannot_train_is_refused(cache: Path, project: Path, setting: str, words: str) -> None:
    result = run(cache, project, setting)
    assert result.returncode == 2
    assert words in result.stderr


def test_changed_data_is_noticed(cache: Path, project: Path) -> None:
    assert run(cache, project).returncode == 0
    write_data(project / "data.npz", seed=1)
    result = run(cache, project)
    assert result.returncode == 2
    assert "the data is not what this run began with" in result.stderr
    assert "the data has changed" in zerfoo(cache, "eval", project / "run").stderr


def test_a_project_may_move(cache: Path, project: Path) -> None:
    assert run(cache, project).returncode == 0
    moved = project.rename(project.with_name("moved"))
    again = run(cache, moved)
    assert again.returncode == 0, again.stderr
    evaluated = zerfoo(cache, "eval", moved / "run", "--json")
    assert evaluated.returncode == 0
    assert "changed" not in evaluated.stderr
    assert json.loads(evaluated.stdout)["step"] == 20


def test_scores_that_are_not_finite_are_said_and_are_valid_json(cache: Path, project: Path) -> None:
    inputs = np.full((9, 4), np.nan, np.float32)
    write_data(project / "data.npz", validation_inputs=inputs)
    result = run(cache, project)
    assert result.returncode == 0
    assert "these scores are not finite" in result.stderr
    assert summary(project / "run")["metrics"] == {"validation/loss": None}
    evaluated = zerfoo(cache, "eval", project / "run", "--json").stdout
    assert json.loads(evaluated, parse_constant=pytest.fail)["validation/loss"] is None


def test_forecasts_are_in_the_unit_of_the_series(cache: Path, tmp_path: Path) -> None:
    settings = ["train.steps=20", "optimizer.schedule=null", "train.evaluate_every=10", "checkpoint.every=10"]
    assert zerfoo(cache, "train", "forecast_lstm", *settings, "--run", tmp_path / "run").returncode == 0
    result = zerfoo(cache, "predict", tmp_path / "run", "--examples", "1", "--json")
    truth = json.loads(result.stdout)["truth"]
    assert truth == [21.11, 19.49, 19.28, 19.73, 20.44, 22.07]  # the last six months of the published series, in °C
    assert zerfoo(cache, "eval", tmp_path / "run", "--best").returncode == 0


def test_a_run_goes_on_when_nobody_reads_its_progress(cache: Path, tmp_path: Path) -> None:
    with start(cache, *tiny_run(tmp_path / "run", 200)) as process:
        assert process.stderr
        assert process.stderr.readline()
        process.stderr.close()
        assert process.wait(timeout=120) == 0
    assert summary(tmp_path / "run")["steps"] == 200


def test_a_second_interrupt_ends_the_process_at_once(cache: Path, tmp_path: Path) -> None:
    process = start(cache, *tiny_run(tmp_path / "run", 100_000))
    assert process.stderr
    assert process.stderr.readline().startswith("first loss")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in output
