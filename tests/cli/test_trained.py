"""`train`, `eval`, `predict`, `plot` and `check` on one tiny trained run."""

import json
import math
from pathlib import Path
import struct

import numpy as np
import pytest

from tests.support.command_line import TINY
from zerfoo_jax.data import DATASETS
from zerfoo_jax.experiment import runtime

PNG = b"\x89PNG\r\n\x1a\n"


def numbers(stdout: str) -> dict[str, float]:
    return {line.split()[0]: float(line.split()[1]) for line in stdout.splitlines() if len(line.split()) == 2}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def test_train_prints_results_to_stdout_and_the_rest_to_stderr(tiny_run):
    stdout, stderr = [(tiny_run.parent.parent / name).read_text() for name in ("stdout", "stderr")]
    names = [line.split()[0] for line in stdout.splitlines()]
    assert names == [
        "validation/loss",
        "validation/accuracy",
        "baseline/majority_accuracy",
        "run",
        "next:",
        "look",
        "use",
        "change",
    ]
    assert "step 20/20" in stderr and "step" not in stdout
    assert "first loss" in stderr
    assert "\x1b" not in stdout + stderr, "no colours or bars where nobody looks"


def test_train_again_resumes_a_finished_run_without_training(tiny_run, invoke, config):
    before = (tiny_run / "metrics.jsonl").read_bytes(), (tiny_run / "summary.json").read_bytes()
    result = invoke("train", config, "--run", tiny_run)
    assert result.exit_code == 0
    assert "resuming behind step 20 of 20" in result.stderr
    assert numbers(result.stdout) == numbers((tiny_run.parent.parent / "stdout").read_text())
    assert (tiny_run / "metrics.jsonl").read_bytes() == before[0]
    digests = [json.loads(text)["sha256"] for text in (before[1], (tiny_run / "summary.json").read_bytes())]
    assert digests[0] == digests[1]


def test_train_refuses_another_config_in_the_same_folder(tiny_run, invoke, config):
    before = (tiny_run / "config.yaml").read_text()
    result = invoke("train", config, "train.batch_size=16", "--run", tiny_run)
    assert result.exit_code == 2
    assert "-  batch_size: 32\n+  batch_size: 16" in result.stderr
    assert "--run" in result.stderr
    assert (tiny_run / "config.yaml").read_text() == before


@pytest.mark.parametrize("run", ["file", "file/below", "/proc/no"])
def test_train_into_a_folder_that_cannot_be(invoke, config, run, tmp_path):
    (tmp_path / "file").write_text("")
    result = invoke("train", config, "--run", tmp_path / run)
    assert result.exit_code == 2
    assert "cannot write run folder" in result.stderr


def test_eval_agrees_with_the_end_of_training(tiny_run, invoke):
    result = invoke("eval", tiny_run, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    summary = json.loads((tiny_run / "summary.json").read_text())
    assert found.pop("step") == 20
    for name, value in {**summary["metrics"], **{f"baseline/{n}": v for n, v in summary["baselines"].items()}}.items():
        assert math.isclose(found.pop(name), value, rel_tol=1e-5)
    assert not found
    words = numbers(invoke("eval", tiny_run).stdout)
    assert words["step"] == 20
    assert math.isclose(words["validation/loss"], summary["metrics"]["validation/loss"], abs_tol=1e-4)


def test_eval_of_an_earlier_step(tiny_run, invoke):
    found = json.loads(invoke("eval", tiny_run, "--step", 10, "--json").stdout)
    records = [json.loads(line) for line in (tiny_run / "metrics.jsonl").read_text().splitlines()]
    (wanted,) = [r["validation/loss"] for r in records if r["step"] == 10 and "validation/loss" in r]
    assert found["step"] == 10
    assert math.isclose(found["validation/loss"], wanted, rel_tol=1e-5)


@pytest.mark.parametrize("step", [11, -1, 10**12])
def test_eval_of_a_step_that_is_not_there(tiny_run, invoke, step):
    result = invoke("eval", tiny_run, "--step", step)
    assert result.exit_code == 1
    assert str(step) in result.stderr
    assert result.stdout == ""


def test_predict_gives_a_record_for_each_of_the_last_examples(tiny_run, invoke):
    records = [json.loads(line) for line in invoke("predict", tiny_run, "--json", "--examples", 7).stdout.splitlines()]
    assert [record["example"] for record in records] == list(range(359 - 7, 359))
    truth = DATASETS["digits"]().validation.batch(np.arange(359 - 7, 359))["targets"]
    assert [int(record["truth"]) for record in records] == truth.tolist()
    assert all(0.1 <= record["probability"] <= 1 for record in records)
    assert sum(record["class"] == record["truth"] for record in records) >= 3, "better than chance after 20 steps"
    words = invoke("predict", tiny_run, "--examples", 7).stdout.splitlines()
    assert words[0].split()[:4] == ["example", "352", "class", records[0]["class"]]


def test_predict_on_a_file_is_predict_on_the_same_examples(tiny_run, invoke, tmp_path):
    inputs = DATASETS["digits"]().validation.batch(np.arange(356, 359))["inputs"]
    for array in (inputs, inputs.astype(np.float64), np.asfortranarray(inputs), inputs[0]):
        np.save(tmp_path / "x.npy", array)
        records = [
            json.loads(line)
            for line in invoke("predict", tiny_run, "--input", tmp_path / "x.npy", "--json").stdout.splitlines()
        ]
        expected = [json.loads(line) for line in invoke("predict", tiny_run, "--examples", 3, "--json").stdout.splitlines()]
        assert [r["class"] for r in records] == [r["class"] for r in expected][: len(records)]
        assert len(records) == (1 if array.ndim == 3 else 3)


def bad_inputs(folder: Path) -> dict[str, Path]:
    path = {
        name: folder / f"{name}.npy" for name in ("shape", "axes", "objects", "text", "complex", "garbage", "empty", "missing")
    }
    np.save(path["shape"], np.zeros((3, 7, 7, 1)))
    np.save(path["axes"], np.zeros((8, 8)))
    np.save(path["objects"], np.array([{"a": 1}], object), allow_pickle=True)
    np.save(path["text"], np.full((2, 8, 8, 1), "x"))
    np.save(path["complex"], np.zeros((2, 8, 8, 1), complex))
    path["garbage"].write_bytes(b"hello")
    path["empty"].write_bytes(b"")
    np.savez(folder / "archive.npz", a=np.zeros(3))
    # A header that promises more than any machine holds.
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 8, 8, 1)}\n"
    (folder / "bomb.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return {**path, "folder": folder, "archive": folder / "archive.npz", "bomb": folder / "bomb.npy"}


def test_predict_refuses_a_file_that_holds_no_inputs(tiny_run, invoke, tmp_path):
    for name, path in bad_inputs(tmp_path).items():
        result = invoke("predict", tiny_run, "--input", path)
        assert result.exit_code == 1, name
        assert result.stdout == "", name
        assert str(path) in result.stderr and "fix: " in result.stderr, name


def test_predict_of_a_classifier_continues_no_text(tiny_run, invoke):
    result = invoke("predict", tiny_run, "--prompt", "def ")
    assert result.exit_code == 2
    assert "--prompt" in result.stderr


def test_plot_draws_pictures(tiny_run, invoke):
    result = invoke("plot", tiny_run)
    assert result.exit_code == 0
    paths = list(map(Path, result.stdout.splitlines()))
    assert [path.name for path in paths] == ["curves.png", "confusion_matrix.png"]
    for path in paths:
        data = path.read_bytes()
        assert data.startswith(PNG)
        width, height = struct.unpack(">II", data[16:24])
        assert 300 < width < 4000 and 300 < height < 4000


def test_check_tells_layers_memory_and_steps_and_writes_nothing(invoke, config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = invoke("check", config)
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("ok")
    # 64 * 12 + 12 + 12 * 10 + 10 parameters, twice more for Adam.
    assert "parameters          910" in result.stdout
    assert "dense_0" in result.stdout and "(1, 12)" in result.stdout
    assert "20 of 32 examples" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_check_reports_every_problem_with_its_place(invoke, config):
    wrong = ["model.layers.1.features=0", "loss=cros_entropy", "optimizer.name=adm", "metrics=[acuracy]", "data.held_out=0"]
    result = invoke("check", config, *wrong)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 5 problems:")
    assert all(f"command line: {setting}" in result.stderr for setting in wrong if "name" not in setting)
    for word in ("cross_entropy", "adam", "accuracy"):
        assert f"did you mean '{word}'" in result.stderr


def test_check_reports_shapes_at_their_line(invoke, config):
    config.write_text(
        TINY.replace("- Flatten", "- {type: Conv2D, features: 3, kernel_size: 3}\n    - {type: LSTM, features: 2}")
    )
    result = invoke("check", config)
    assert result.exit_code == 2
    assert (
        f"expected 3 axes (batch, time, features), got shape (1, 8, 8, 3)\n  at {config}:7:7 (model.layers[1])" in result.stderr
    )


def test_check_can_do_without_the_cache(invoke, config, monkeypatch):
    calls = []
    monkeypatch.setattr(runtime, "enable_compilation_cache", lambda: calls.append(1))
    invoke("check", config, "runtime.compilation_cache=false")
    assert calls == []
    invoke("check", config)
    assert calls == [1]
