"""Models in several files: whenever the writing stops, the main file finds files that belong to it."""

from pathlib import Path
import shutil

import jax
import numpy as np
import pytest

from zerfoo_jax import formats
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import safetensors, zmf
from zerfoo_jax.graph.editing import Network
import zerfoo_jax.layers as L

FILES = {"zmf": "model.zmf", "safetensors": "model.safetensors.index.json", "onnx": "model.onnx"}
OPTIONS = {"zmf": {"aside": True}, "safetensors": {"max_shard_bytes": 100_000}, "onnx": {"external_data": True}}
X = np.linspace(-1, 1, 128, dtype=np.float32)[None]


def network(seed: int, features: int = 160) -> Network:
    chance = np.random.default_rng(seed)
    params = {
        name: {
            "kernel": chance.normal(size=(ins, outs)).astype(np.float32),
            "bias": chance.normal(size=outs).astype(np.float32),
        }
        for name, ins, outs in (("dense_0", 128, features), ("dense_1", features, 128))
    }
    model = L.Sequential((L.Dense(features), L.Dense(128)))
    return Network(model, params, {}, (jax.ShapeDtypeStruct((1, 128), np.float32),))


def parameters(path: Path) -> set[bytes]:
    """The arrays of a file, which every format keeps as they are."""
    found = formats.load(path)
    return {np.asarray(leaf).tobytes() for leaf in jax.tree.leaves((found.params, found.state)) if np.asarray(leaf).ndim == 2}


def kernels(given: Network) -> set[bytes]:
    return {np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(given.params) if leaf.ndim == 2}


class Stopped(BaseException):
    """The process is gone."""


def stop_after(monkeypatch, steps: int) -> list[str]:
    """From then on nothing is renamed or removed any more; gives what has been."""
    done: list[str] = []

    def counted(name, change):
        def step(path, *arguments, **keywords):
            if name == "unlink" and not path.exists():
                return None
            if len(done) >= steps:
                raise Stopped
            done.append(name)
            return change(path, *arguments, **keywords)

        return step

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, counted(name, getattr(Path, name)))
    return done


@pytest.mark.parametrize("kind", FILES)
def test_a_crash_at_any_moment_leaves_the_old_model_or_the_new_one(kind, tmp_path, monkeypatch):
    path, (old, new) = tmp_path / FILES[kind], (network(0), network(1, features=170))
    pytest.importorskip("onnx") if kind == "onnx" else None
    seen = []
    for steps in range(20):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        formats.save(old, path, **OPTIONS[kind])
        with monkeypatch.context() as patched:
            done = stop_after(patched, steps)
            try:
                formats.save(new, path, **OPTIONS[kind])
                finished = True
            except Stopped:
                finished = False
        found = parameters(path)
        assert found in (kernels(old), kernels(new)), (steps, done)
        seen.append(found == kernels(new))
        if finished:
            break
    assert seen == sorted(seen) and not seen[0] and seen[-1] and len(seen) > 3
    files = {one.name for one in tmp_path.iterdir()}
    formats.save(new, path, **OPTIONS[kind])
    assert files == {one.name for one in tmp_path.iterdir()}
    assert len(files) == (3 if kind == "safetensors" else 2)


@pytest.mark.parametrize("kind", FILES)
def test_what_fails_leaves_nothing_of_itself(kind, tmp_path, monkeypatch):
    path = tmp_path / FILES[kind]
    pytest.importorskip("onnx") if kind == "onnx" else None
    formats.save(network(0), path, **OPTIONS[kind])
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    replace = Path.replace

    def full(source, target):
        if target == path:
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        formats.save(network(1), path, **OPTIONS[kind])
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", FILES)
def test_files_that_another_model_names_stay(kind, tmp_path):
    path = tmp_path / FILES[kind]
    copy = path.with_name(f"copy.{path.name}")
    pytest.importorskip("onnx") if kind == "onnx" else None
    formats.save(network(0), path, **OPTIONS[kind])
    shutil.copy(path, copy)
    formats.save(network(1), path, **OPTIONS[kind])
    assert parameters(copy) == kernels(network(0)) and parameters(path) == kernels(network(1))


def test_only_files_with_names_that_a_writer_gives_are_removed(tmp_path):
    """A main file may name anything in its folder."""
    path = tmp_path / "model.zmf"
    zmf.write(network(0), path, aside=True)
    (side,) = tmp_path.glob("*.data")
    notes = side.rename(tmp_path / "notes.txt".ljust(len(side.name), "t"))
    path.write_bytes(path.read_bytes().replace(side.name.encode(), notes.name.encode()))
    assert parameters(path) == kernels(network(0))
    zmf.write(network(1), path, aside=True)
    assert notes.exists()

    index = tmp_path / "model.safetensors.index.json"
    safetensors.write(network(0), tmp_path / "model-large.safetensors")
    index.write_text('{"weight_map": {"a": "model-large.safetensors"}}')
    safetensors.write(network(1), index)
    assert (tmp_path / "model-large.safetensors").exists()


def test_the_hubs_files_go_with_their_index(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(safetensors.to_bytes({"a": np.ones(3)}))
    index.write_text('{"weight_map": {"a": "model-00001-of-00001.safetensors"}}')
    assert safetensors.read_tensors(index)["a"].tolist() == [1, 1, 1]
    safetensors.write_tensors({"a": np.zeros(3)}, index)
    assert safetensors.read_tensors(index)["a"].tolist() == [0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_read_is_written_over(tmp_path):
    path = tmp_path / "model.zmf"
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(FormatError):
        formats.load(path)
    zmf.write(network(0), path, aside=True)
    assert parameters(path) == kernels(network(0))
