"""Whatever happens to the bytes of a checkpoint, it is noticed, and the older one is used."""

from collections.abc import Callable
import os
from pathlib import Path
import random
import shutil

import pytest

from tests.support.train_states import state_at
from zerfoo_jax.checkpoint import Checkpoints, digest
from zerfoo_jax.core.errors import CheckpointError

OLD, NEW = 10, 20
DIGESTS = {step: digest(state_at(step, 40)) for step in (OLD, NEW)}
TARGET = state_at(0, 40)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("run") / "checkpoints"
    with Checkpoints(directory) as checkpoints:
        for step in (OLD, NEW):
            checkpoints.save(step, state_at(step, 40), extra={"position": step})
    return directory


def flip_bit(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(1, path.stat().st_size))


def zero_block(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = chance.choice([i for i, byte in enumerate(data) if byte])  # zeros over zeros would change nothing
    end = min(len(data), start + chance.choice([1, 16, 512]))
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def append(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.randrange(1, 50)))


def delete(path: Path, chance: random.Random) -> None:
    path.unlink()


def empty(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def swap_between_steps(path: Path, chance: random.Random) -> None:
    """The bytes of a file of the other step, of the same name where there is one."""
    mine = path.read_bytes()
    step = next(parent for parent in path.parents if parent.name in (str(OLD), str(NEW)))
    other = step.with_name(str(OLD + NEW - int(step.name)))
    twin = other / path.relative_to(step)
    choices = [twin] if twin.is_file() and twin.read_bytes() != mine else _files(other)
    path.write_bytes(chance.choice([data for data in (choice.read_bytes() for choice in choices) if data != mine]))


def add_file(path: Path, chance: random.Random) -> None:
    path.with_name(f"extra-{chance.randrange(1000)}").write_bytes(chance.randbytes(chance.randrange(20)))


def rename(path: Path, chance: random.Random) -> None:
    path.rename(path.with_name(f"{path.name}{chance.randrange(10)}"))


Damage = Callable[[Path, random.Random], None]
DAMAGES: list[Damage] = [flip_bit, truncate, zero_block, append, delete, empty, swap_between_steps, add_file, rename]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in _files(folder)}


def _copy(run: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "checkpoints"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(run, copy, copy_function=shutil.copyfile))


def _restore(directory: Path, log: list[str]):
    return Checkpoints(directory, log=log.append).restore(TARGET)


def test_the_undamaged_run_gives_the_newest(run, tmp_path):
    log: list[str] = []
    restored = _restore(_copy(run, tmp_path), log)
    assert (restored.step, digest(restored.tree), log) == (NEW, DIGESTS[NEW], [])


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_any_file_is_detected(run, tmp_path, damage):
    trials = 0
    names = [path.relative_to(run) for path in _files(run / str(NEW))]
    for name in names:
        for seed in range(5):
            directory, log = _copy(run, tmp_path), []
            damage(directory / name, random.Random(f"{name.name}{seed}"))
            assert _bytes(directory / str(NEW)) != _bytes(run / str(NEW)), "the damage changed nothing"
            restored = _restore(directory, log)
            assert (restored.step, digest(restored.tree), restored.extra) == (OLD, DIGESTS[OLD], {"position": OLD}), name
            assert len(log) == 1 and log[0].startswith(f"checkpoint {NEW}: "), log
            assert sorted(path.name for path in directory.iterdir()) == [str(OLD), f"{NEW}.damaged"]
            trials += 1
    assert trials >= 50


@pytest.mark.parametrize("seed", range(20))
def test_with_every_checkpoint_damaged_nothing_is_loaded(run, tmp_path, seed):
    chance = random.Random(seed)
    directory = _copy(run, tmp_path)
    for step in (OLD, NEW):
        chance.choice(DAMAGES)(chance.choice(_files(directory / str(step))), chance)
    with pytest.raises(CheckpointError) as caught:
        _restore(directory, [])
    assert f"checkpoint {NEW}: " in str(caught.value) and f"checkpoint {OLD}: " in str(caught.value)


def test_two_checkpoints_that_changed_names_are_both_refused(run, tmp_path):
    directory = _copy(run, tmp_path)
    (directory / str(NEW)).rename(directory / "x")
    (directory / str(OLD)).rename(directory / str(NEW))
    (directory / "x").rename(directory / str(OLD))
    with pytest.raises(CheckpointError, match=f"checkpoint {NEW}: holds step {OLD}"):
        _restore(directory, [])


@pytest.mark.parametrize("what", ["file", "empty folder", "link", "dangling link", "link inside", "pipe inside"])
def test_what_is_no_checkpoint_never_blocks(run, tmp_path, what):
    directory, log = _copy(run, tmp_path), []
    impostor = directory / "30"
    if what == "file":
        impostor.write_text("30")
    elif what == "empty folder":
        impostor.mkdir()
    elif what == "pipe inside":
        impostor.mkdir()
        os.mkfifo(impostor / "manifest.json")
    elif what == "link inside":
        shutil.copytree(directory / str(NEW), impostor)
        (impostor / "manifest.json").unlink()
        (impostor / "manifest.json").symlink_to(directory / str(NEW) / "manifest.json")
    else:
        impostor.symlink_to(directory / (str(NEW) if what == "link" else "nowhere"))
    restored = _restore(directory, log)
    assert (restored.step, digest(restored.tree)) == (NEW, DIGESTS[NEW])
    assert len(log) == 1 and not os.path.lexists(impostor) and os.path.lexists(directory / "30.damaged")


def test_a_link_to_the_right_bytes_is_refused(run, tmp_path):
    directory = _copy(run, tmp_path)
    path = next(path for path in _files(directory / str(NEW)) if "arrays" in path.parts)
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    assert _restore(directory, []).step == OLD
    assert outside.is_file()


def test_a_folder_that_is_a_link_is_refused_even_with_everything_right(run, tmp_path):
    directory = _copy(run, tmp_path)
    (directory / str(NEW)).rename(tmp_path / str(NEW))
    (directory / str(NEW)).symlink_to(tmp_path / str(NEW))
    assert _restore(directory, []).step == OLD
