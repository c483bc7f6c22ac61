"""Tensors of all types, against ONNX's own reader."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - once it is there

from zerfoo_jax.core.errors import FormatError  # noqa: E402
from zerfoo_jax.formats.onnx.tensors import array_of, dense_of  # noqa: E402
from zerfoo_jax.formats.operators.data_types import DATA_TYPES, dtype_of  # noqa: E402

NUMBERS = [number for number, name in DATA_TYPES.items() if name != "object"]


def values(number: int, size: int) -> np.ndarray:
    """Numbers that every type can hold some of, at random."""
    rng = np.random.default_rng(size)
    dtype = dtype_of(number)
    if dtype.kind == "c":
        return (rng.normal(size=size) + 1j * rng.normal(size=size)).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize > 1:
        return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, size, dtype, endpoint=True)
    return rng.integers(0, 2, size).astype(np.float32).astype(dtype)


@pytest.mark.parametrize("number", NUMBERS, ids=[DATA_TYPES[number] for number in NUMBERS])
@pytest.mark.parametrize("size", [0, 1, 3, 8])
def test_raw_and_typed_values_are_as_onnx_reads_them(number, size):
    array = values(number, size)
    raw = numpy_helper.from_array(array, "x")
    typed = helper.make_tensor("x", number, [size], array if array.dtype.kind in "ciu" else array.astype(np.float32))
    for tensor in (raw, typed):
        ours, theirs = array_of(tensor, "x"), numpy_helper.to_array(tensor)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape) == (array.dtype, array.shape)
        assert ours.tobytes() == theirs.tobytes() == array.tobytes()


def test_every_type_of_onnx_is_known():
    assert set(DATA_TYPES) == set(TensorProto.DataType.values()) - {0}


def test_texts_are_objects():
    tensor = helper.make_tensor("x", TensorProto.STRING, [2, 1], ["a", "é"])
    found = array_of(tensor, "x")
    assert found.dtype == object and found.tolist() == [["a"], ["é"]]


def test_raw_bytes_are_used_as_they_are():
    found = array_of(numpy_helper.from_array(np.arange(100, dtype=np.float32), "x"), "x")
    assert not found.flags.owndata and not found.flags.writeable


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_tensors_become_dense(indices):
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [2], [7.0, 8.0]),
        helper.make_tensor("i", TensorProto.INT64, np.shape(indices), np.ravel(indices)),
        [2, 3],
    )
    np.testing.assert_array_equal(dense_of(sparse, "x"), np.float32([[0, 7, 0], [0, 0, 8]]))


def test_a_file_beside_bytes_alone_is_refused():
    tensor = TensorProto(name="x", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    with pytest.raises(FormatError, match="only the bytes are known"):
        array_of(tensor, "x")
