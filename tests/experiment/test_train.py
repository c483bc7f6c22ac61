"""Runs survive: killed, preempted, interrupted, damaged or diverged, they end with the same bits or stop with clear words."""

import json
from pathlib import Path
import random
import shutil
import signal
import time

import numpy as np
import pytest

from tests.support.runs import start, stop_at, summary, tiny_run, zerfoo

STEPS = 400


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def reference(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("reference") / "run"
    result = zerfoo(cache, *tiny_run(folder, STEPS))
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize(("starting", "running"), [(1, 3), pytest.param(3, 17, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(
    starting: int, running: int, cache: Path, reference: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    folder = tmp_path / "run"
    moments = sorted(rng.randrange(STEPS - 20) for _ in range(running))
    kills = 0
    for seconds in (rng.uniform(0.1, 3) for _ in range(starting)):
        process = start(cache, *tiny_run(folder, STEPS))
        time.sleep(seconds)
        process.kill()
        process.communicate()
        kills += 1
    for moment in moments:
        process = start(cache, *tiny_run(folder, STEPS))
        stopped = stop_at(process, folder, max(moment, 1), signal.SIGKILL)
        assert stopped is not None, process.stderr and process.stderr.read()
        kills += 1
        (folder / "metrics.jsonl").write_text("")  # the next moment is to be met by the next process, not by this one's log
    result = zerfoo(cache, *tiny_run(folder, STEPS))
    assert result.returncode == 0, result.stderr
    assert kills == starting + running
    assert summary(folder)["sha256"] == summary(reference)["sha256"]
    assert summary(folder)["metrics"] == summary(reference)["metrics"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_stop_request_saves_at_once_and_the_same_command_goes_on(
    cache: Path, reference: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "run"
    process = start(cache, *tiny_run(folder, STEPS))
    stopped = stop_at(process, folder, 130, number)
    assert stopped is not None
    assert process.returncode == code, stopped[1]
    saved = int((folder / "LATEST").read_text())
    assert saved >= 130
    assert f"saved at step {saved}" in stopped[1]
    again = zerfoo(cache, *tiny_run(folder, STEPS))
    assert again.returncode == 0
    assert f"resuming behind step {saved}" in again.stderr
    assert summary(folder)["sha256"] == summary(reference)["sha256"]


def test_a_finished_run_is_not_trained_again(cache: Path, reference: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    result = zerfoo(cache, *tiny_run(folder, STEPS))
    assert result.returncode == 0
    assert "first loss" not in result.stderr
    assert summary(folder)["sha256"] == summary(reference)["sha256"]
    assert "validation/accuracy" in result.stdout


def test_the_journal_of_an_interrupted_run_has_every_record_once(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(cache, *tiny_run(folder, 200))
    assert stop_at(process, folder, 110, signal.SIGKILL) is not None
    assert zerfoo(cache, *tiny_run(folder, 200)).returncode == 0
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    logged = [record["step"] for record in records if "train/loss" in record]
    assert logged == list(range(10, 201, 10))
    assert [record["step"] for record in records if "validation/loss" in record] == [40, 80, 120, 160, 200]


def test_a_damaged_newest_checkpoint_is_put_aside_and_the_run_ends_the_same(
    cache: Path, reference: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    process = start(cache, *tiny_run(folder, STEPS))
    assert stop_at(process, folder, 130, signal.SIGTERM) is not None
    newest = folder / "checkpoints" / (folder / "LATEST").read_text().strip()
    victim = max((f for f in newest.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    result = zerfoo(cache, *tiny_run(folder, STEPS))
    assert result.returncode == 0, result.stderr
    assert newest.name in result.stderr
    assert summary(folder)["sha256"] == summary(reference)["sha256"]


def test_no_good_checkpoint_stops_the_run(cache: Path, reference: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    for manifest in folder.glob("checkpoints/*/manifest.json"):
        manifest.unlink()
    result = zerfoo(cache, *tiny_run(folder, STEPS))
    assert result.returncode == 1
    assert "manifest" in result.stderr
    again = zerfoo(cache, *tiny_run(folder, STEPS))
    assert again.returncode == 1
    assert "delete the run folder to start over" in again.stderr


def test_the_step_is_compiled_once(reference: Path) -> None:
    assert summary(reference)["compilations"] == 1


DIVERGING = ["optimizer={name: sgd, learning_rate: 1e30}", "checkpoint.every=100"]


def test_divergence_stops_with_3_and_names_the_layer(cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = zerfoo(cache, *tiny_run(folder, 60, DIVERGING))
    assert result.returncode == 3
    assert "not finite" in result.stderr
    assert "dense_" in result.stderr or "loss" in result.stderr.splitlines()[-2]
    assert not list((folder / "checkpoints").glob("[0-9]*"))


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 easy examples, one of which holds a NaN."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 6)).astype(np.float32)
    targets = (inputs[:, 0] > 0).astype(np.int32)
    inputs[77, 3] = np.nan
    path = tmp_path_factory.mktemp("data") / "poisoned.npz"
    np.savez(path, inputs=inputs, targets=targets)
    return path


def poisoned_run(folder: Path, data: Path, policy: str, limit: int = 10) -> list[str]:
    settings = [
        f"data={{name: arrays, path: {data}, held_out: 20}}",
        f"train.nonfinite={{policy: {policy}, limit: {limit}}}",
        "train.batch_size=10",
        "train.ema_decay=null",
        "checkpoint.every=4",
        "logging.every=1",
        "model.features=2",
    ]
    return tiny_run(folder, 50, settings)


def test_a_poisonous_batch_is_skipped(cache: Path, poisoned: Path, tmp_path: Path) -> None:
    result = zerfoo(cache, *poisoned_run(tmp_path / "run", poisoned, "skip"))
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert sum(record.get("train/skipped", 0) for record in records) in (2, 3)  # 50 steps are 2.6 epochs


def test_a_poisonous_batch_is_rolled_back_behind(cache: Path, poisoned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = zerfoo(cache, *poisoned_run(folder, poisoned, "rollback"))
    assert result.returncode == 0, result.stderr
    assert "going on with later data" in result.stderr
    stopped = tmp_path / "stopped"
    process = start(cache, *poisoned_run(stopped, poisoned, "rollback"))
    assert stop_at(process, stopped, 30, signal.SIGKILL) is not None
    assert zerfoo(cache, *poisoned_run(stopped, poisoned, "rollback")).returncode == 0
    assert summary(stopped)["sha256"] == summary(folder)["sha256"]


def test_a_poisonous_batch_stops_the_run_and_the_batch_is_named(cache: Path, poisoned: Path, tmp_path: Path) -> None:
    result = zerfoo(cache, *poisoned_run(tmp_path / "run", poisoned, "stop"))
    assert result.returncode == 3
    assert "batch" in result.stderr


def test_rollbacks_are_limited(cache: Path, poisoned: Path, tmp_path: Path) -> None:
    result = zerfoo(cache, *poisoned_run(tmp_path / "run", poisoned, "rollback", limit=1))
    assert result.returncode == 3


def test_early_stopping_survives_a_stop(cache: Path, tmp_path: Path) -> None:
    settings = ["train.early_stopping={monitor: validation/accuracy, mode: max, patience: 2, min_delta: 0.05}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    result = zerfoo(cache, *tiny_run(whole, 2000, settings))
    assert result.returncode == 0
    assert "stopping early" in result.stderr
    assert summary(whole)["steps"] < 2000
    process = start(cache, *tiny_run(stopped, 2000, settings))
    assert stop_at(process, stopped, 90, signal.SIGKILL) is not None
    assert zerfoo(cache, *tiny_run(stopped, 2000, settings)).returncode == 0
    assert summary(stopped) == summary(whole)
    assert "first loss" not in zerfoo(cache, *tiny_run(stopped, 2000, settings)).stderr
