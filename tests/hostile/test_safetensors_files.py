"""safetensors files that are broken or made to do harm: one readable error with its place, in little time and memory."""

from collections.abc import Callable
from functools import cache
import os
from pathlib import Path
import random
import time
import tracemalloc

import numpy as np
import pytest

from tests.hostile.safetensors_files import FILES, GOOD, INDEXES, NETWORKS, ODD_CHAINS, Bad, file, one
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import safetensors

SECONDS, MEMORY = 2.0, 256 * 2**20


def expect_refused(open_file: Callable[[], object], said: str) -> None:
    start = time.process_time()
    with pytest.raises(FormatError) as caught:
        open_file()
    assert time.process_time() - start < SECONDS
    assert said in str(caught.value)
    assert caught.value.problems[0].place
    assert len(str(caught.value)) < 4000


@cache
def content(bad: Bad) -> bytes:
    return bad[0]() if callable(bad[0]) else bad[0]


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(name):
    data = content(FILES[name])
    expect_refused(lambda: safetensors.from_bytes(data), FILES[name][1])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_bad_network_is_refused(name, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content(NETWORKS[name]))
    expect_refused(lambda: safetensors.read(path), NETWORKS[name][1])


@pytest.mark.parametrize("name", ODD_CHAINS)
def test_an_odd_chain_is_a_network(name, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(ODD_CHAINS[name])
    assert safetensors.read(path).params


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with good files, a broken one, and everything that is no file of its own; one good file outside of it."""
    inside = tmp_path / "inside"
    (inside / "folder.safetensors").mkdir(parents=True)
    (inside / "b").mkdir()
    (tmp_path / "out.safetensors").write_bytes(GOOD)
    (inside / "good.safetensors").write_bytes(GOOD)
    f32 = {"dtype": "F32", "shape": [1]}
    (inside / "both.safetensors").write_bytes(
        file({"a": {**f32, "data_offsets": [0, 4]}, "b": {**f32, "data_offsets": [4, 8]}}, 8)
    )
    (inside / "broken.safetensors").write_bytes(b"")
    (inside / "link.safetensors").symlink_to(tmp_path / "out.safetensors")
    (inside / "linked").symlink_to(inside)
    os.link(tmp_path / "out.safetensors", inside / "hard.safetensors")
    os.mkfifo(inside / "pipe.safetensors")
    return inside


@pytest.mark.parametrize("name", INDEXES)
def test_a_bad_index_is_refused_and_nothing_outside_the_folder_is_opened(name, folder, monkeypatch):
    opened: list[Path] = []
    really_open = os.open

    def noting_open(path, *arguments, **options):
        opened.append(Path(path).resolve())
        return really_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", noting_open)
    path = folder / "model.safetensors.index.json"
    path.write_bytes(content(INDEXES[name]))
    expect_refused(lambda: safetensors.read_tensors(path), INDEXES[name][1])
    assert path in opened
    assert all(one.parent == folder for one in opened)


@pytest.mark.parametrize("name", [name for name, bad in FILES.items() if callable(bad[0])])
def test_a_large_bad_file_costs_little_memory(name):
    data = content(FILES[name])
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            safetensors.from_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", ["missing.safetensors", "", ".", "/dev/zero", "a\0b"])
def test_what_is_no_file_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expect_refused(lambda: safetensors.read_tensors(path), "")


def test_what_looks_odd_but_is_right_is_read():
    empty = {"dtype": "F32", "shape": [0, 3], "data_offsets": [0, 0]}
    tensors = safetensors.from_bytes(file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "none": empty}))
    assert tensors["none"].shape == (0, 3)
    assert safetensors.from_bytes(one(shape=[], dtype="F32"))["a"].shape == ()
    assert safetensors.from_bytes(file({}, 0)).keys() == set()
    nan = file({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, 0) + b"\1\0\xa0\x7f"
    assert safetensors.from_bytes(nan)["a"].view(np.uint32)[0] == 0x7FA00001


SEEDS = [
    GOOD,
    file({"__metadata__": {"a": "b"}, "x": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}}),
    file(
        {
            "b.c": {"dtype": "U8", "shape": [3], "data_offsets": [5, 8]},
            "é": {"dtype": "BOOL", "shape": [], "data_offsets": [4, 5]},
            "n": {"dtype": "F64", "shape": [0], "data_offsets": [4, 4]},
            "f": {"dtype": "F4", "shape": [2, 4], "data_offsets": [0, 4]},
        },
        8,
    ),
]
TOKENS = [bytes([one]) for one in b'"{}[],:019-.e\\ \0\xff'] + [b"\\u0000", b"\\ud800"]


def mutated(random: random.Random) -> bytes:
    """One of the seeds with a few bytes changed, put in, left out or moved; mostly with a length that still fits."""
    seed = random.choice(SEEDS)
    size = int.from_bytes(seed[:8], "little")
    header, data = bytearray(seed[8 : 8 + size]), bytearray(seed[8 + size :])
    for _ in range(random.randint(1, 3)):
        part = header if random.random() < 0.9 else data
        at = random.randint(0, len(part))
        match random.randint(0, 4):
            case 0:
                part[at : at + 1] = bytes([random.randint(0, 255)])
            case 1:
                part[at:at] = random.choice(TOKENS)
            case 2:
                part[at : at + random.randint(1, 12)] = b""
            case 3:
                part[at : at + 1] = random.choice(TOKENS)
            case _:
                start = random.randint(0, len(part))
                part[at:at] = part[start : start + random.randint(1, 40)]
    length = len(header) if random.random() < 0.95 else random.choice([0, 1, len(header) + 1, len(header) - 1, 2**63])
    return max(length, 0).to_bytes(8, "little") + bytes(header) + bytes(data)


@pytest.mark.parametrize("count", [5_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_what_the_reference_refuses_is_refused(count):
    reference = pytest.importorskip("safetensors", reason="the dev extra is not installed")
    rng = random.Random(count)
    accepted = refused = 0
    for _ in range(count):
        data = mutated(rng)
        try:
            theirs = dict(reference.deserialize(data))
        except reference.SafetensorError:
            theirs = None
        try:
            ours = safetensors.from_bytes(data)
        except FormatError:
            refused += 1
            continue
        assert theirs is not None, data
        assert {name: (list(array.shape), array.tobytes()) for name, array in ours.items() if ours.kept[name].bits >= 8} == {
            name: (told["shape"], bytes(told["data"])) for name, told in theirs.items() if ours.kept[name].bits >= 8
        }
        accepted += 1
    assert accepted > count / 100 and refused > count / 2
