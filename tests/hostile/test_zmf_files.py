"""ZMF files that are broken or made to do harm: one readable error with its place, in little time and memory."""

import os
from pathlib import Path
import random
import time
import tracemalloc

import pytest

from tests.hostile.zmf_files import BESIDE, FILES, GOOD, GOOD_LAYER, SEEDS, Bad
from tests.support.zmf_schema import compiled
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import zmf
from zerfoo_jax.formats.zmf import storage
from zerfoo_jax.formats.zmf.decode import decode
from zerfoo_jax.formats.zmf.schema import Model
from zerfoo_jax.formats.zmf.wire import Budget

SECONDS, MEMORY = 2.0, 256 * 2**20
DATA = Path(__file__).parents[1] / "data" / "zmf"


def content(bad: Bad) -> bytes:
    return bad[0]() if callable(bad[0]) else bad[0]


def expect_refused(path: Path, said: str) -> None:
    start = time.process_time()
    with pytest.raises(FormatError) as caught:
        zmf.read(path)
    assert time.process_time() - start < SECONDS
    assert said in str(caught.value)
    assert all(problem.place.startswith(str(path)) for problem in caught.value.problems)
    assert len(str(caught.value)) < 4000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.zmf"


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if "hundred" in name else []) for name in FILES])
def test_a_bad_file_is_refused(name, path):
    path.write_bytes(content(FILES[name]))
    expect_refused(path, FILES[name][1])


def test_good_ones_are_read(path):
    for data in (GOOD, GOOD_LAYER):
        path.write_bytes(data)
        assert zmf.read(path).model is not None


LARGE = [name for name, bad in FILES.items() if callable(bad[0])]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if "numbers" in name else pytest.mark.slow) for name in LARGE])
def test_a_large_bad_file_costs_little_memory(name, path):
    path.write_bytes(content(FILES[name]))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            zmf.read(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.fixture
def folder(tmp_path):
    """A folder with a good file, and with everything that is no file of its own; one file outside of it."""
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    good = bytes(64) + b"d" * 32
    for file in (tmp_path / "outside.data", inside / "good.data", inside / "folder" / "good.data"):
        file.write_bytes(good)
    (inside / "empty.data").touch()
    (inside / "link.data").symlink_to(tmp_path / "outside.data")
    os.link(tmp_path / "outside.data", inside / "hard.data")
    os.mkfifo(inside / "pipe.data")
    return inside


@pytest.mark.parametrize("name", BESIDE)
def test_a_bad_file_beside_is_refused_and_nothing_outside_the_folder_is_opened(name, folder, monkeypatch):
    opened: list[Path] = []
    really_open = os.open

    def noting_open(path, *arguments, **options):
        opened.append(Path(path).resolve())
        return really_open(path, *arguments, **options)

    path = folder / "model.zmf"
    path.write_bytes(content(BESIDE[name]))
    monkeypatch.setattr(os, "open", noting_open)
    expect_refused(path, BESIDE[name][1])
    assert all(one.parent == folder for one in opened) and path in opened


@pytest.mark.parametrize("name", ["missing.zmf", ".", "/dev/zero", "a\0b.zmf"])
def test_what_is_no_file_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError):
        zmf.read(Path(name))


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One of the seeds with a few bytes changed, left out, put in or repeated."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data)) if data else 0
        match chance.randrange(5):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + 1] = bytes([data[at] ^ 1 << chance.randrange(8)]) if data else b""
            case 2:
                del data[at : at + chance.randint(1, 9)]
            case 3:
                data[at:at] = chance.choice([b"\0", b"\xff" * 9, b"\x80" * 10, bytes([chance.randrange(256)])])
            case _:
                data[at:at] = data[at : at + chance.randint(1, 60)]
    return bytes(data)


@pytest.mark.parametrize("count", [5_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_mutated_files_give_a_network_or_are_refused(count, path, monkeypatch):
    """And what google.protobuf refuses is refused."""
    theirs, chance = compiled()["Model"], random.Random(count)
    from google.protobuf.message import DecodeError

    seeds = [*SEEDS, *(file.read_bytes() for file in sorted(DATA.glob("*.zmf")))]
    read = refused = decoded = 0
    for _ in range(count):
        data = mutated(chance, seeds)
        monkeypatch.setattr(storage, "map_file", lambda path, data=data: memoryview(data))
        try:
            zmf.read(path)
            read += 1
        except FormatError:
            refused += 1
        try:
            decode(Model, memoryview(data), Budget())
        except FormatError:
            continue
        decoded += 1
        try:
            theirs.FromString(data)
        except DecodeError:
            pytest.fail(f"google.protobuf does not read {data!r}")
    assert read > count / 100 and refused > count / 2 and decoded > count / 20
