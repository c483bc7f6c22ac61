"""ZMF files on the disk: views instead of copies, files beside, digests, what is not known here, large models."""

import hashlib
import resource
import subprocess
import sys
import time
import tracemalloc

import jax
import numpy as np
import pytest

from tests.support.zmf_networks import expect_equal, network_of
from tests.support.zmf_schema import compiled
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats import zmf
from zerfoo_jax.formats.zmf import storage
from zerfoo_jax.graph.editing import Network
import zerfoo_jax.layers as L

SPEC = (jax.ShapeDtypeStruct((1, 1), np.float32),)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.zmf"


@pytest.fixture
def network():
    chance = np.random.default_rng(0)
    sizes = {"one": 5000, "two": 16_400, "three": 20_001, "small": 3, "none": 0}
    params = {name: chance.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    return Network(L.Dense(1), params, {"mean": np.arange(30_000.0)}, SPEC)


def beside(path):
    """The file with the large arrays of a model."""
    (found,) = path.parent.glob(f"{path.name}.*.data")
    return found


def base_of(array):
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


@pytest.mark.parametrize("aside", [False, True])
def test_parameters_are_aligned_views_of_the_mapped_file(aside, network, path):
    zmf.write(network, path, aside=aside)
    found = zmf.read(path)
    expect_equal(found, network)
    for name, array in {**found.params, **found.state}.items():
        assert not array.flags.writeable and not array.flags.owndata, name
        if array.nbytes >= 4096:
            assert array.ctypes.data % 64 == 0, name
    path.unlink()  # the map keeps what was there
    np.testing.assert_array_equal(found.params["two"], network.params["two"])


def test_large_arrays_stand_aside_and_a_protobuf_reader_still_reads_the_file(network, path):
    zmf.write(network, path, aside=True)
    side = beside(path)
    assert path.stat().st_size < 5000 * 4 + 5000
    model = compiled()["Model"].FromString(path.read_bytes())
    assert model.extension.data_file == side.name
    data = side.read_bytes()
    for name in ("two", "three"):
        tensor = model.graph.parameters[name]
        assert tensor.offset % 64 == 0 and not tensor.data
        assert data[tensor.offset : tensor.offset + tensor.size] == network.params[name].tobytes()
        assert tensor.digest == hashlib.sha256(network.params[name].tobytes()).digest()
    assert model.graph.parameters["one"].data == network.params["one"].tobytes()
    assert not model.graph.parameters["one"].HasField("offset")
    digests = b"".join(
        one.digest for one in (*map(model.graph.parameters.get, ("two", "three")), model.extension.state["mean"])
    )
    assert data[-32:] == hashlib.sha256(digests).digest() == model.extension.data_digest


def test_a_file_is_written_over_itself_while_its_views_live(network, path):
    zmf.write(network, path, aside=True)
    for _ in range(2):
        zmf.write(zmf.read(path), path, aside=True)
    expect_equal(zmf.read(path, verify=False), network)
    zmf.write(zmf.read(path), path, aside=False)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    expect_equal(zmf.read(path), network)


def test_a_file_beside_that_belongs_to_another_model_is_refused(network, path):
    zmf.write(network, path, aside=True)
    side = beside(path)
    before = side.read_bytes()
    zmf.write(
        Network(network.model, {**network.params, "two": network.params["two"] + 1}, network.state, SPEC), path, aside=True
    )
    beside(path).write_bytes(before)
    with pytest.raises(FormatError, match="not the file that was written with this one"):
        zmf.read(path)


def test_only_what_is_over_a_gigabyte_stands_aside_by_itself(network, path, monkeypatch):
    zmf.write(network, path)
    assert not list(path.parent.glob("*.data"))
    monkeypatch.setattr(storage, "ASIDE", 300_000)
    zmf.write(network, path)
    assert beside(path).exists()
    monkeypatch.setattr(storage, "MAX_MESSAGE", 200_000)
    with pytest.raises(ConfigError, match=r"a file of .* bytes, over the 200,000"):
        zmf.write(network, path, aside=False)


@pytest.mark.parametrize("aside", [False, True])
def test_damage_is_found(aside, network, path):
    """Of small tensors always, of large ones where that is asked for."""
    zmf.write(network, path, aside=aside)
    file = beside(path) if aside else path
    data = bytearray(file.read_bytes())
    at = bytes(data).index(network.params["three"].tobytes()) + 12_345
    data[at] ^= 1
    file.write_bytes(data)
    assert (zmf.read(path).params["three"] != network.params["three"]).sum() == 1
    with pytest.raises(FormatError, match="the data are damaged") as caught:
        zmf.read(path, verify=True)
    assert caught.value.problems[0].place == f"{path}: graph/parameters/three"

    zmf.write(network, path, aside=aside)
    data = bytearray(path.read_bytes())
    data[bytes(data).index(network.params["small"].tobytes()) + 5] ^= 16
    path.write_bytes(data)
    with pytest.raises(FormatError, match="the data are damaged"):
        zmf.read(path)


def test_what_is_not_known_here_is_written_again(path):
    known = compiled()
    zmf.write(network_of(L.Dense(3), np.ones((1, 2), np.float32)), path)
    model = known["Model"].FromString(path.read_bytes())
    more = {"": b"\xc2\x0c\x03new", "graph": b"\xc0\x0c\x07", "extension": b"\xc5\x0cabcd", "metadata": b"\xc1\x0cabcdefgh"}
    model.MergeFromString(more[""])
    for name in ("graph", "extension", "metadata"):
        getattr(model, name).MergeFromString(more[name])
    model.graph.nodes[0].MergeFromString(b"\xba\x3e\x04node")
    model.graph.parameters["kernel"].MergeFromString(b"\xba\x3e\x06tensor")
    path.write_bytes(model.SerializeToString())
    zmf.write_model(zmf.read_model(path), path)
    again = known["Model"].FromString(path.read_bytes())
    del again.graph.parameters["kernel"].padding[:]
    assert again == model and b"tensor" in path.read_bytes() and b"node" in path.read_bytes()
    assert zmf.read(path).model == L.Dense(3)


def test_nothing_is_left_of_a_file_that_cannot_be_written(network, path):
    for name in ("a\tb", "x/..", "\u202egnp.exe", "n" * 2000, ""):
        with pytest.raises(ConfigError):
            zmf.write(Network(network.model, {name: np.ones(3)}, {}, SPEC), path)
    assert list(path.parent.iterdir()) == []


WRITE = """
import resource, sys
import jax, numpy as np
from pathlib import Path
import zerfoo_jax.layers as L
from zerfoo_jax.formats import zmf
from zerfoo_jax.graph.editing import Network

path, aside, count, megabytes = Path(sys.argv[1]), sys.argv[2] == "aside", int(sys.argv[3]), int(sys.argv[4])
arrays = {f"p{i}": np.full(megabytes * 2**18, i, np.float32) for i in range(count)}
network = Network(L.Dense(1), arrays, {}, (jax.ShapeDtypeStruct((1, 1), np.float32),))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
zmf.write(network, path, aside=aside)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def grown(path, aside, count, megabytes):
    """Bytes by which writing so many arrays made a process grow."""
    told = subprocess.run(
        [sys.executable, "-c", WRITE, str(path), aside, str(count), str(megabytes)], capture_output=True, text=True, check=True
    )
    return int(told.stdout)


@pytest.mark.parametrize("aside", [False, True])
def test_writing_takes_no_memory_for_what_is_written(aside, path):
    arrays = {name: np.ones(2**22, np.float32) for name in "ab"}
    arrays["turned"] = np.ones((1024, 1024), np.float32).T  # a copy is needed, of one array at a time
    network = Network(L.Dense(1), arrays, {}, SPEC)
    tracemalloc.start()
    try:
        zmf.write(network, path, aside=aside)
        assert tracemalloc.get_traced_memory()[1] < 6 * 2**20
    finally:
        tracemalloc.stop()
    expect_equal(zmf.read(path), network)


@pytest.mark.slow
def test_a_model_of_four_gigabytes(path):
    """Is written with little memory beside its arrays and opened in less than 0.1 s."""
    assert grown(path, "aside", 16, 256) < 0.05 * 2**32
    assert beside(path).stat().st_size >= 2**32
    zmf.read(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = zmf.read(path)
    assert time.process_time() - start < 0.1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2**26
    assert found.params["p15"][-1] == 15 and sum(array.nbytes for array in found.params.values()) == 2**32
