import fcntl
import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.folder import RunFolder, environment, existing, resolved, write_atomically
from zerfoo_jax.experiment.reading import read_config

TEXT = """
name: small
model: {type: Flatten}
data: {name: digits}
optimizer: {name: sgd}
train: {steps: 3}
"""


@pytest.fixture
def config(tmp_path):
    def read(*overrides):
        (tmp_path / "c.yaml").write_text(TEXT)
        return read_config(tmp_path / "c.yaml", overrides)[0]

    return read


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "small")


def test_claiming_writes_the_resolved_config_and_the_environment(folder, config):
    with folder.claim(config("train.batch_size=7"), Path()):
        found, _ = read_config(folder.config)
        assert found == config("train.batch_size=7")
        assert json.loads((folder.path / "env.json").read_text())["python"] == environment()["python"]
    assert sorted(os.listdir(folder.path)) == ["config.yaml", "env.json", "run.lock"], "nothing half-written is left"


def test_a_resolved_config_resolves_to_itself(config):
    text = resolved(config())
    assert "batch_size: 64" in text
    assert "null" not in text


def test_the_same_config_may_come_again(folder, config):
    for _ in range(2):
        folder.claim(config(), Path()).close()


def test_another_config_is_refused_with_the_difference(folder, config):
    folder.claim(config(), Path()).close()
    with pytest.raises(ConfigError) as caught:
        folder.claim(config("train.batch_size=7", "optimizer.momentum=0.5"), Path())
    text = str(caught.value)
    assert "-  batch_size: 64\n+  batch_size: 7" in text
    assert "+  momentum: 0.5" in text
    assert "fix: choose another folder" in text
    assert "batch_size: 64" in folder.config.read_text(), "the folder keeps its config"


@pytest.mark.parametrize("override", ["logging.every=3", "logging.tensorboard=false", "runtime.compilation_cache=false"])
def test_what_does_not_change_results_may_change(folder, config, override):
    folder.claim(config(), Path()).close()
    folder.claim(config(override), Path()).close()
    assert override.partition(".")[2].replace("=", ": ") in folder.config.read_text()


def test_a_config_that_is_damaged_is_another_config(folder, config):
    folder.claim(config(), Path()).close()
    folder.config.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="different config"):
        folder.claim(config(), Path())


HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_in_use_by_another_process_is_refused(folder, config):
    folder.claim(config(), Path()).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path / "run.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="in use by another process"):
            folder.claim(config(), Path())
        other.kill()
    folder.claim(config(), Path()).close()


def test_a_folder_is_claimed_once(folder, config):
    with folder.claim(config(), Path()), pytest.raises(ConfigError, match="in use by another process"):
        folder.claim(config(), Path())
    folder.claim(config(), Path()).close()


def test_a_refused_folder_is_free_again(folder, config):
    folder.claim(config(), Path()).close()
    with pytest.raises(ConfigError) as caught:  # whose traceback keeps every local alive
        folder.claim(config("seed=1"), Path())
    with open(folder.path / "run.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert caught.value.problems


def test_a_folder_that_cannot_be_written(tmp_path, config):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="cannot write run folder"):
            RunFolder(path).claim(config(), Path())


def test_only_a_folder_with_a_config_is_a_run(tmp_path, folder, config):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="not a run folder"):
            existing(path)
    folder.claim(config(), Path()).close()
    assert existing(folder.path) == folder


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, "old")

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new and longer")
    assert path.read_text() == "old"
