"""Arrays to files and bytes and back, beside the reference implementation."""

import json
import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats.safetensors import from_bytes, load_tensors, read_tensors, to_bytes, write_tensors
from zerfoo_jax.formats.safetensors.stored_types import STORED_TYPES
from zerfoo_jax.numeric.bits import pack, unpack
from zerfoo_jax.numeric.dtypes import DTYPES

KEPT_AS_BYTES = ["int2", "int4", "uint2", "uint4", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "complex128"]
ALL = sorted({stored.dtype.name for stored in STORED_TYPES.values()} | set(KEPT_AS_BYTES))


def every_bit(dtype: str, *shape: int) -> np.ndarray:
    """An array whose elements take all bit patterns, NaNs with their payloads too."""
    wanted = np.dtype(np.complex128) if dtype == "complex128" else STORED_OF.get(dtype) or DTYPES[dtype].numpy
    bits = DTYPES[dtype].bits if dtype in DTYPES else 8
    count = int(np.prod(shape)) * wanted.itemsize
    raw = np.random.default_rng(len(dtype)).integers(0, 2 ** min(bits, 8), count, np.uint8)
    return raw.view(wanted).reshape(shape)


STORED_OF = {stored.dtype.name: stored.dtype for stored in STORED_TYPES.values()}


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_there_are_arrays_of_every_dtype():
    assert set(DTYPES) < set(ALL)


@pytest.mark.parametrize("dtype", ALL)
def test_every_dtype_comes_back_bit_for_bit_through_files_and_bytes(dtype, tmp_path):
    tensors = {f"a.{i}": every_bit(dtype, *shape) for i, shape in enumerate([(), (4,), (3, 5), (2, 0), (2, 2, 3, 4), (257,)])}
    data = to_bytes(tensors, metadata={"a": "ü \U0001f600", "": ""})
    write_tensors(tensors, tmp_path / "x.safetensors", metadata={"a": "ü \U0001f600", "": ""})
    assert (tmp_path / "x.safetensors").read_bytes() == data
    for found in (from_bytes(data), read_tensors(tmp_path / "x.safetensors")):
        assert found.keys() == tensors.keys() and dict(found.metadata) == {"a": "ü \U0001f600", "": ""}
        assert all(same(found[name], array) for name, array in tensors.items())
        assert not any(array.flags.writeable for array in found.values() if array.size)


def test_the_reference_reads_what_is_written(tmp_path):
    reference = pytest.importorskip("safetensors", reason="the dev extra is not installed")
    tensors = {stored.name: every_bit(stored.dtype.name, 3, 8) for stored in STORED_TYPES.values()}
    found = dict(reference.deserialize(to_bytes(tensors, metadata={"a": "b"})))
    for name, array in tensors.items():
        bits = STORED_TYPES[name].bits
        raw = array.view(np.uint8).reshape(-1)
        assert found[name]["dtype"] == name and found[name]["shape"] == [3, 8]
        assert bytes(found[name]["data"]) == (pack(raw, bits) if bits < 8 else raw).tobytes()


def test_what_the_reference_writes_is_read(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy", reason="the dev extra is not installed")
    tensors = {name: every_bit(name, 3, 5) for name in ("float32", "bfloat16", "bool", "uint16", "int64")}
    numpy.save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "np"})
    found = read_tensors(tmp_path / "x.safetensors")
    assert dict(found.metadata) == {"format": "np"} and all(same(found[name], tensors[name]) for name in tensors)


def test_data_and_tensors_are_aligned():
    rng = np.random.default_rng(0)
    tensors = {
        f"t{i}": np.zeros(int(rng.choice([1, 3, 8, 16, 17, 64, 100])), rng.choice(["float64", "float32", "float16", "int8"]))
        for i in range(200)
    }
    data = to_bytes(tensors, metadata={"a": "b" * 5})
    size = int.from_bytes(data[:8], "little")
    assert (8 + size) % 64 == 0
    header = json.loads(data[8 : 8 + size])
    for name, array in tensors.items():
        start = header[name]["data_offsets"][0]
        assert start % array.itemsize == 0
        assert array.nbytes % 64 or start % 64 == 0, name


def test_reading_copies_nothing_and_jax_can_use_aligned_arrays_in_place(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors({"kernel": np.ones((64, 16), np.float32), "bias": np.ones(3, np.float32)}, path)
    tensors = read_tensors(path)
    assert np.shares_memory(tensors["kernel"], tensors["kernel"])
    assert tensors["kernel"].ctypes.data % 64 == 0
    data = to_bytes({"a": np.arange(6)})
    assert np.shares_memory(from_bytes(data)["a"], np.frombuffer(data, np.uint8))


def test_loaded_arrays_are_their_own_whatever_becomes_of_the_file(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {"a": np.arange(5_000_000), "b": np.array([1, -2, 7], ml_dtypes.int4), "c": np.arange(3.0)}
    write_tensors(tensors, path)
    found = load_tensors(path)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert all(same(found[name], array) for name, array in tensors.items())
    found["a"][0] = 7


def test_arrays_outlive_the_mapping_and_a_file_that_is_replaced(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors({"a": np.arange(1000)}, path)
    array = read_tensors(path)["a"]
    write_tensors({"a": np.zeros(1000, np.int64)}, path)
    assert array.tolist() == list(range(1000))


def test_arrays_of_any_layout_and_of_jax_are_written(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = {
        "transposed": base.transpose(2, 0, 1),
        "strided": base[:, ::2, ::-1],
        "fortran": np.asfortranarray(base),
        "big": base.astype(">f4"),
        "broadcast": np.broadcast_to(np.float32(3), (2, 5)),
        "jax": jnp.asarray(base, jnp.bfloat16),
        "int4": jnp.asarray([[1, -8, 7]], jnp.int4),
        "scalar": np.float32(2.5),
        "list": [1, 2],
    }
    found = from_bytes(to_bytes(tensors))
    for name, array in tensors.items():
        array = np.asarray(array)
        np.testing.assert_array_equal(found[name], array.astype(array.dtype.newbyteorder("=")))
        assert found[name].dtype == array.dtype.newbyteorder("=")


def test_bits_are_packed_lowest_first_over_portions_too():
    codes = np.random.default_rng(0).integers(0, 64, 2**18 + 5, np.uint8)
    for bits in (1, 2, 4, 6):
        few = codes & (2**bits - 1)
        whole = sum(int(code) << bits * i for i, code in enumerate(few[:40]))
        packed = pack(few, bits)
        assert int.from_bytes(packed[: 5 * bits].tobytes(), "little") == whole
        np.testing.assert_array_equal(unpack(packed, bits, len(few)), few)


def test_an_int4_array_is_bytes_to_others():
    reference = pytest.importorskip("safetensors", reason="the dev extra is not installed")
    values = np.array([[1, -2, 7]], ml_dtypes.int4)
    told = dict(reference.deserialize(to_bytes({"a": values})))["a"]
    assert (told["dtype"], told["shape"], bytes(told["data"])) == ("U8", [2], bytes([0xE1, 0x07]))


def test_an_index_and_its_files_hold_the_tensors_in_their_order(tmp_path):
    rng = np.random.default_rng(0)
    tensors = {f"layer.{i}": rng.standard_normal(size).astype(np.float32) for i, size in enumerate([10, 100, 30, 500, 1, 1])}
    tensors["small"] = np.array([1, 2, 3], ml_dtypes.int4)
    path = tmp_path / "model.safetensors.index.json"
    write_tensors(tensors, path, metadata={"a": "b"}, max_shard_bytes=600)
    files = sorted(file.name for file in tmp_path.glob("*.safetensors"))
    assert [re.sub("-[0-9a-f]{16}", "", file) for file in files] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    found = read_tensors(path)
    assert list(found) == list(tensors) and dict(found.metadata) == {"a": "b"}
    assert all(same(found[name], array) for name, array in tensors.items())
    index = json.loads(path.read_text())
    assert index["metadata"]["total_size"] == 4 * 642 + 2
    for file in files:
        held = read_tensors(tmp_path / file)
        assert {name for name, home in index["weight_map"].items() if home == file} == set(held)
        assert len(held) == 1 or sum(array.nbytes for array in held.values()) <= 600


@pytest.mark.slow
@pytest.mark.oracle
def test_transformers_reads_an_index_that_was_written_here(tmp_path, torch):
    transformers = pytest.importorskip("transformers", reason="the oracle extra is not installed")
    from safetensors.torch import load_file

    config = transformers.GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=2, n_head=2)
    model = transformers.GPT2LMHeadModel(config).eval()
    model.save_pretrained(tmp_path / "theirs", max_shard_size="3KB")
    tensors = read_tensors(tmp_path / "theirs" / "model.safetensors.index.json")
    model.config.save_pretrained(tmp_path / "ours")
    write_tensors(tensors, tmp_path / "ours" / "model.safetensors.index.json", metadata={"format": "pt"}, max_shard_bytes=2000)
    assert load_file(next((tmp_path / "ours").glob("*-of-*.safetensors")))
    again = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").eval()
    for name, parameter in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], parameter)


REFUSED = {
    "an empty name": ({"": np.ones(1)}, {}, "not empty"),
    "a name that leads out": ({"../x": np.ones(1)}, {}, "'..'"),
    "the name of the metadata": ({"__metadata__": np.ones(1)}, {}, "stands for the metadata"),
    "objects": ({"a": np.array([None])}, {}, "cannot be kept"),
    "texts": ({"a": np.array(["x"])}, {}, "cannot be kept"),
    "dates": ({"a": np.array(["2020-01-01"], "datetime64[D]")}, {}, "cannot be kept"),
    "a key of random numbers": ({"a": jax.random.key(0)}, {}, "no array of numbers"),
    "metadata that are numbers": ({"a": np.ones(1)}, {"a": 1}, "texts to texts"),
    "metadata of this package's own": ({"a": np.ones(1)}, {"zerfoo.dtype/a": "int4 1"}, "no key begins with"),
    "half a surrogate pair": ({"a": np.ones(1)}, {"a": "\ud800"}, "no text"),
    "a huge header": ({"a": np.ones(1)}, {"a": "x" * 2**24}, "over the limit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_read_is_not_written(name, tmp_path):
    tensors, metadata, said = REFUSED[name]
    with pytest.raises(FormatError, match=said):
        write_tensors(tensors, tmp_path / "x.safetensors", metadata=metadata)
    assert list(tmp_path.iterdir()) == []


def test_shards_want_the_name_of_an_index(tmp_path):
    with pytest.raises(ConfigError, match="name the index"):
        write_tensors({"a": np.ones(1)}, tmp_path / "x.safetensors", max_shard_bytes=10)
