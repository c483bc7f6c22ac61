import os
from pathlib import Path
import subprocess
import sys
from threading import Event

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.train_states import state_at
from zerfoo_jax.checkpoint import Checkpoints, UnreadableError, digest
from zerfoo_jax.checkpoint import checkpoints as module
from zerfoo_jax.core.errors import CheckpointError, ConfigError, DivergedError

TARGET = state_at(0)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def directory(tmp_path) -> Path:
    return tmp_path / "run" / "checkpoints"


def _saved(directory: Path, *steps: int, **options) -> Checkpoints:
    checkpoints = Checkpoints(directory, **options)
    for step in steps:
        checkpoints.save(step, state_at(step), extra={"position": step})
    checkpoints.wait()
    return checkpoints


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _break(directory: Path, step: int) -> None:
    (directory / str(step) / "manifest.json").write_text("{}")


def test_the_newest_comes_back_with_its_small_data(directory):
    log: list[str] = []
    checkpoints = Checkpoints(directory, log=log.append)
    for step in (9, 10):
        checkpoints.save(step, state_at(step), extra={"position": step}, metrics={"loss": np.float32(0.5), "norm": jnp.inf})
    restored = checkpoints.restore(TARGET)
    assert (restored.step, restored.extra, restored.metrics) == (10, {"position": 10}, {"loss": 0.5, "norm": float("inf")})
    assert digest(restored.tree) == digest(state_at(10)) and log == []
    assert digest(checkpoints.restore(TARGET, 9).tree) == digest(state_at(9))
    assert checkpoints.steps() == [9, 10] and checkpoints.latest_step() == 10
    assert (directory.parent / "LATEST").read_text() == "10\n"


def test_the_hint_is_never_trusted(directory):
    checkpoints = _saved(directory, 1, 2)
    (directory.parent / "LATEST").write_text("1\n")
    assert checkpoints.restore(TARGET).step == 2 and checkpoints.latest_step() == 2


def test_save_returns_before_the_disk_is_touched_and_the_caller_may_donate(directory, monkeypatch):
    go, write = Event(), module.write_checkpoint
    monkeypatch.setattr(module, "write_checkpoint", lambda *args: go.wait(30) and write(*args))
    donating = jax.jit(lambda x: x * 2, donate_argnums=0)
    array = jnp.arange(50_000.0)
    with Checkpoints(directory) as checkpoints:
        checkpoints.save(1, {"a": array})
        assert checkpoints.latest_step() is None
        donating(array).block_until_ready()
        assert array.is_deleted()
        go.set()
    restored = checkpoints.restore({"a": jax.ShapeDtypeStruct((50_000,), jnp.float32)})
    np.testing.assert_array_equal(restored.tree["a"], np.arange(50_000, dtype=np.float32))


def test_extra_is_taken_as_it_is_at_the_call(directory, monkeypatch):
    go, write = Event(), module.write_checkpoint
    monkeypatch.setattr(module, "write_checkpoint", lambda *args: go.wait(30) and write(*args))
    extra = {"callbacks": {"wait": 1}}
    checkpoints = Checkpoints(directory)
    checkpoints.save(1, TARGET, extra=extra)
    extra["callbacks"]["wait"] = 2
    go.set()
    assert checkpoints.restore(TARGET).extra == {"callbacks": {"wait": 1}}


def test_retention_keeps_the_last_and_the_best(directory):
    accuracies = {1: 0.2, 2: 0.9, 3: 0.3, 4: 0.4, 5: 0.5}
    with Checkpoints(directory, keep_last=2, keep_best=1, monitor="accuracy", mode="max") as checkpoints:
        for step, accuracy in accuracies.items():
            checkpoints.save(step, state_at(step), metrics={"accuracy": accuracy})
    assert _names(directory) == ["2", "4", "5"] and checkpoints.best_step() == 2
    # The best is known from the disk, not from memory.
    assert Checkpoints(directory, monitor="accuracy", mode="max").best_step() == 2
    assert Checkpoints(directory).best_step() is None


def test_retention_never_removes_what_was_just_saved(directory):
    assert _saved(directory, 20, 30, 10, keep_last=1).steps() == [10, 30]


def test_a_good_checkpoint_is_not_written_again_and_a_damaged_one_is(directory):
    checkpoints = _saved(directory, 1)
    manifest = directory / "1" / "manifest.json"
    before = manifest.stat().st_mtime_ns
    checkpoints.save(1, state_at(99))
    checkpoints.wait()
    assert manifest.stat().st_mtime_ns == before
    (directory / "1" / "arrays" / "_METADATA").write_text("")
    log: list[str] = []
    assert digest(_saved(directory, 1, log=log.append).restore(TARGET).tree) == digest(state_at(1))
    assert _names(directory) == ["1", "1.damaged"]
    assert log == [f"checkpoint 1: 'arrays/_METADATA' has 0 bytes instead of {_size(directory)}; saving it anew"]


def _size(directory: Path) -> int:
    return (directory / "1" / "arrays" / "_METADATA").stat().st_size


def test_damaged_ones_are_put_aside_and_the_next_older_is_used(directory):
    log: list[str] = []
    checkpoints = _saved(directory, 1, 2, 3, 4, keep_last=9, log=log.append)
    _break(directory, 4)
    (directory / "5").mkdir()
    (directory / "3.damaged").mkdir()
    (directory / "3" / "manifest.json").unlink()
    assert checkpoints.steps() == [1, 2, 4]
    assert checkpoints.restore(TARGET).step == 2
    assert [line.splitlines()[0] for line in log] == [
        "checkpoint 5: manifest.json is missing",
        "checkpoint 4: manifest.json differs from its digest",
        "checkpoint 3: manifest.json is missing",
    ]
    assert _names(directory) == ["1", "2", "3.damaged", "3.damaged-2", "4.damaged", "5.damaged"]


def test_without_repair_nothing_is_touched(directory):
    checkpoints = _saved(directory, 1, 2, log=lambda line: None)
    _break(directory, 2)
    (directory / "3.tmp").mkdir()
    assert checkpoints.restore(TARGET, repair=False).step == 1
    assert _names(directory) == ["1", "2", "3.tmp"]


def test_a_given_step_is_the_only_one_tried(directory):
    checkpoints = _saved(directory, 1, 2, log=lambda line: None)
    _break(directory, 2)
    with pytest.raises(CheckpointError, match="checkpoint 2: manifest"):
        checkpoints.restore(TARGET, 2)
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 7 .*\n.*\n  fix: check the path; saved steps: 1"):
        checkpoints.restore(TARGET, 7)


def test_all_faults_are_listed_when_none_is_good(directory):
    checkpoints = _saved(directory, 1, 2, log=lambda line: None)
    _break(directory, 1)
    _break(directory, 2)
    with pytest.raises(CheckpointError) as caught:
        checkpoints.restore(TARGET)
    assert [problem.cause for problem in caught.value.problems] == [
        "checkpoint 2: manifest.json differs from its digest",
        "checkpoint 1: manifest.json differs from its digest",
    ]


def test_nothing_saved_is_said_clearly(directory):
    checkpoints = Checkpoints(directory)
    assert checkpoints.steps() == [] and checkpoints.latest_step() is None and checkpoints.best_step() is None
    with pytest.raises(CheckpointError, match="no checkpoint is in this folder"):
        checkpoints.restore(TARGET)
    assert not directory.exists()


def test_another_model_is_refused_at_once_and_nothing_is_renamed(directory):
    log: list[str] = []
    checkpoints = _saved(directory, 1, 2, log=log.append)
    other = state_at(0) | {"seen": np.zeros(12, bool)}
    with pytest.raises(CheckpointError, match=r"different shape: seen, stored as bool\[11\], wanted as bool\[12\]"):
        checkpoints.restore(other)
    assert _names(directory) == ["1", "2"] and log == []


def test_what_cannot_be_read_is_passed_over_but_stays(directory, monkeypatch):
    log: list[str] = []
    checkpoints = _saved(directory, 1, 2, log=log.append)
    read = module.read_checkpoint

    def failing(folder, target):
        if folder.name == "2":
            raise UnreadableError("cannot read this checkpoint: Input/output error")
        return read(folder, target)

    monkeypatch.setattr(module, "read_checkpoint", failing)
    assert checkpoints.restore(TARGET).step == 1
    assert _names(directory) == ["1", "2"] and "Input/output error" in log[0]


def test_leftovers_are_swept_before_writing_and_not_by_looking(directory):
    checkpoints = _saved(directory, 1)
    for name in ("2.tmp", "3.removed", "notes.tmp", "4"):
        (directory / name).mkdir()
    fresh = Checkpoints(directory, log=lambda line: None)
    assert fresh.steps() == [1] and len(_names(directory)) == 5
    fresh.save(5, state_at(5))
    fresh.close()
    assert _names(directory) == ["1", "4", "5", "notes.tmp"]
    assert checkpoints.restore(TARGET).step == 5


@pytest.mark.parametrize("later", ["save", "wait", "close", "restore"])
def test_an_error_in_the_background_is_raised_next_time_once(tmp_path, later):
    (tmp_path / "checkpoints").write_text("a file in the place of the folder")
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.save(1, TARGET)
    calls = {"save": lambda: checkpoints.save(2, TARGET), "restore": lambda: checkpoints.restore(TARGET)}
    with pytest.raises(CheckpointError, match="cannot save checkpoint 1: File exists") as caught:
        calls.get(later, getattr(checkpoints, later))()
    assert str(tmp_path / "checkpoints") in str(caught.value) and "fix: " in str(caught.value)
    checkpoints.wait()


def test_a_failure_on_leaving_does_not_hide_the_error_on_its_way_out(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    log: list[str] = []
    with pytest.raises(DivergedError), Checkpoints(tmp_path / "checkpoints", log=log.append) as checkpoints:
        checkpoints.save(1, TARGET)
        raise DivergedError("loss is NaN")
    assert "cannot save checkpoint 1" in log[0]
    with pytest.raises(CheckpointError), Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(1, TARGET)


@pytest.mark.parametrize("moment", ["write_checkpoint", "sync", "write_whole"])
def test_a_full_disk_at_any_moment_leaves_the_good_step(directory, monkeypatch, moment):
    checkpoints = _saved(directory, 1)

    def full(*args):
        if moment == "write_checkpoint":
            args[0].mkdir()  # half a checkpoint
        raise OSError(28, "No space left on device", str(args[0]))

    monkeypatch.setattr(module, moment, full)
    checkpoints.save(2, state_at(2))
    with pytest.raises(CheckpointError, match="No space left on device") as caught:
        checkpoints.wait()
    assert "free some disk space" in str(caught.value) and str(directory.parent) in str(caught.value)
    assert all(name.isdigit() for name in _names(directory))
    restored = checkpoints.restore(TARGET)
    assert restored.step == (1 if moment == "write_checkpoint" else 2) and digest(restored.tree) == digest(
        state_at(restored.step)
    )
    assert all(name.isdigit() for name in _names(directory))


FILE_SIZE_LIMIT = """
import resource, sys
from tests.support.train_states import state_at
from zerfoo_jax.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
checkpoints.save(1, state_at(1))
checkpoints.wait()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
checkpoints.save(2, state_at(2, size=100_000))
try:
    checkpoints.wait()
except Exception as error:
    print(type(error).__name__, error)
checkpoints.save(3, state_at(3))
print(checkpoints.restore(state_at(0)).step)
"""


def test_a_real_write_error_is_reported_and_the_run_can_go_on(directory):
    command = [sys.executable, "-c", FILE_SIZE_LIMIT, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.startswith("CheckpointError cannot save checkpoint 2: "), done.stdout + done.stderr
    assert str(directory) in done.stdout and done.stdout.endswith("\n3\n")
    assert _names(directory) == ["1", "3"]


def test_importing_the_room_does_not_import_orbax():
    code = "import sys, zerfoo_jax.checkpoint; sys.exit(any(name.startswith('orbax') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("step", [-1, 1.5, "3", True, None, 10**18])
def test_a_step_is_a_number_from_zero_on(directory, step):
    with pytest.raises(CheckpointError, match="step = "):
        Checkpoints(directory).save(step, TARGET)


def test_bad_options_are_refused(directory):
    with pytest.raises(ConfigError, match="keep_last"):
        Checkpoints(directory, keep_last=0)


def test_a_relative_folder_keeps_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoints = Checkpoints("run/checkpoints")
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    checkpoints.save(1, TARGET)
    checkpoints.close()
    assert (tmp_path / "run" / "checkpoints" / "1").is_dir()


def test_what_was_ever_saved_is_not_forgotten(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", log=lambda text: None)
    assert not checkpoints.holds_any()
    checkpoints.save(3, {"kernel": jnp.ones(2)})
    checkpoints.wait()
    (tmp_path / "checkpoints" / "3" / "manifest.json").unlink()
    assert checkpoints.holds_any()
    for _ in range(2):
        with pytest.raises(CheckpointError):
            checkpoints.restore({"kernel": jnp.ones(2)})
        assert checkpoints.holds_any()
