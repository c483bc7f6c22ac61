"""ONNX files that are broken or made to do harm: one readable error with its place, in little time and memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import random
import sys
import time
import tracemalloc

import jax
import pytest

from tests.hostile.onnx_files import (
    BOMBS,
    EXTERNAL,
    FILES,
    GOOD,
    Bad,
    doubling,
    fill,
    helper,
    location,
    nested,
    onnx,
    relu,
    with_functions,
    with_nodes,
)
from zerfoo_jax.core.errors import FormatError, ZerfooError
from zerfoo_jax.core.layer import walk
from zerfoo_jax.formats.onnx import read
from zerfoo_jax.formats.onnx.backend import Backend
from zerfoo_jax.formats.onnx.reading import graph_of, parse

SECONDS, MEMORY = 2.0, 256 * 2**20


def expect_refused(run: Callable[[], object], said: str, kind: type[Exception] = FormatError) -> None:
    start = time.process_time()
    with pytest.raises(kind) as caught:
        run()
    assert time.process_time() - start < SECONDS
    assert said in str(caught.value)
    assert isinstance(caught.value, ZerfooError)
    assert caught.value.problems[0].place


WATCHED: list[list[Path]] = []


def note_opening(event: str, arguments: tuple) -> None:
    if WATCHED and event == "open" and not isinstance(arguments[0], int):
        WATCHED[-1].append(Path(os.fsdecode(arguments[0])).resolve())


sys.addaudithook(note_opening)


@contextmanager
def files_opened() -> Iterator[list[Path]]:
    """The files that Python opens meanwhile, by whatever function."""
    WATCHED.append([])
    try:
        yield WATCHED[-1]
    finally:
        WATCHED.pop()


def content(bad: Bad) -> bytes:
    return bad[0]() if callable(bad[0]) else bad[0]


def test_the_good_file_is_read(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(GOOD)
    assert read(path).params["matmul"]["B"].shape == (2, 3)


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(name, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content(FILES[name]))
    expect_refused(lambda: read(path), FILES[name][1])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) for name, bad in FILES.items() if callable(bad[0])]
)
def test_a_large_bad_file_costs_little_memory(name):
    data = memoryview(content(FILES[name]))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            graph_of(parse(data, "model")[0], "model")
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_far_larger_than_its_file_is_not_made(name, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(BOMBS[name])
    network = read(path)
    expect_refused(lambda: network.model.init(jax.random.key(0), *network.specs), "", ZerfooError)
    assert walk(network.model, *network.specs).problems
    model = onnx.ModelProto.FromString(BOMBS[name])
    expect_refused(lambda: Backend.run_model(model, [[[1.0, 2.0]]]), "", ZerfooError)


@pytest.mark.parametrize("name", EXTERNAL)
def test_a_tensor_beside_the_model_leads_nowhere_else(name, tmp_path):
    expect_refused(lambda: read(tmp_path / "none.onnx"), "")  # what is imported on the way is not counted
    folder = tmp_path / "inside"
    folder.mkdir()
    fill(folder)
    path = folder / "model.onnx"
    path.write_bytes(EXTERNAL[name])
    with files_opened() as opened:
        expect_refused(lambda: read(path), "")
    assert path in opened
    assert all(one.parent == folder for one in opened)


def test_a_tensor_beside_the_model_is_read(tmp_path):
    (tmp_path / "ok.bin").write_bytes(bytes(32))
    path = tmp_path / "model.onnx"
    path.write_bytes(location(location="ok.bin", offset="8", length="24"))
    weight = read(path).params["matmul"]["B"]
    assert weight.shape == (2, 3)
    assert not weight.flags.owndata and not weight.flags.writeable


def test_what_is_deep_but_allowed_is_read():
    graph_of(parse(memoryview(nested(30)), "model")[0], "model")
    model = onnx.ModelProto.FromString(doubling(6))
    assert len(graph_of(model, "model").nodes) == 64
    model = onnx.ModelProto.FromString(with_functions(("F", [relu])))
    assert [node.op_type for node in graph_of(model, "model").nodes] == ["Relu"]


SEEDS = [
    GOOD,
    with_functions(("F", [helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.5)])),
    with_nodes(
        helper.make_node("Constant", [], ["c"], value_ints=[1, 2]),
        helper.make_node("Constant", [], ["d"], value=helper.make_tensor("t", 22, [3], [1, 2, 3])),
        helper.make_node("Reshape", ["x", "c"], ["y"]),
    ),
]


def mutated(rng: random.Random) -> bytes:
    """One of the seeds with a few bytes changed, put in, left out or moved."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        match rng.randint(0, 4):
            case 0:
                data[at : at + 1] = bytes([rng.randint(0, 255)])
            case 1:
                data[at:at] = rng.randbytes(rng.randint(1, 4))
            case 2:
                data[at : at + rng.randint(1, 8)] = b""
            case 3 if at < len(data):
                data[at] ^= 1 << rng.randint(0, 7)
            case _:
                start = rng.randint(0, len(data))
                data[at:at] = data[start : start + rng.randint(1, 30)]
    return bytes(data)


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_changed_bytes_are_read_or_refused(count):
    rng = random.Random(count)
    refused = 0
    for _ in range(count):
        data = mutated(rng)
        try:
            graph_of(parse(memoryview(data), "model")[0], "model")
        except FormatError:
            refused += 1
    assert count / 4 < refused < count
