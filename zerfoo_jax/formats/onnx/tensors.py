"""The tensors of ONNX files as NumPy arrays: typed fields, raw bytes, bytes in a file beside the model."""

from collections.abc import Sequence
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.limits import MAX_ELEMENTS, check_shape
from zerfoo_jax.formats.onnx.external import Folder
from zerfoo_jax.formats.operators.data_types import DATA_TYPES, dtype_of
from zerfoo_jax.numeric import DTYPES, bits

if TYPE_CHECKING:
    from onnx import SparseTensorProto, TensorProto

_EXTERNAL = 1
"""`TensorProto.EXTERNAL`."""

_FIELDS = ("raw_data", "float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")

_FIELD_OF = {
    "float32": "float_data",
    "complex64": "float_data",
    "int64": "int64_data",
    "float64": "double_data",
    "complex128": "double_data",
    "uint32": "uint64_data",
    "uint64": "uint64_data",
    "object": "string_data",
}
"""Where the values of a tensor stand that has no raw bytes; `int32_data` for all others."""


def array_of(tensor: "TensorProto", place: str, folder: Folder | None = None, weights: memoryview | None = None) -> np.ndarray:
    """The array that a tensor holds; a view of the file's own bytes where they can be used as they are.

    Texts are an `object` array. Without a folder there are no files beside the model; `weights` are the tensor's raw bytes, if
    they have been cut out of it. Raises `FormatError` for unknown types
    and sizes, values in more than one field, and any other number of bytes than shape and type say.
    """
    dtype, shape = _type_of(tensor, place)
    if tensor.data_location == _EXTERNAL:
        if weights is not None or any(len(getattr(tensor, name)) for name in _FIELDS):
            raise FormatError("the tensor has values both here and in a file beside the model", place=place)
        if folder is None:
            raise FormatError("the tensor is in a file beside the model, of which only the bytes are known", place=place)
        return _from_bytes(folder.view(tensor.external_data, packed_size(dtype, shape), place), dtype, shape, place)
    fields = [name for name in _FIELDS if (tensor.HasField(name) if name == "raw_data" else len(getattr(tensor, name)))]
    if weights is not None:
        fields = sorted({"raw_data", *fields})
    if len(fields) > 1:
        raise FormatError(f"the tensor has values in {' and '.join(fields)}", place=place)
    if not fields and math.prod(shape):
        raise FormatError(f"the tensor of shape {shape} has no values", place=place)
    if fields == ["raw_data"]:
        return _from_bytes(memoryview(tensor.raw_data) if weights is None else weights, dtype, shape, place)
    name = _FIELD_OF.get(str(dtype), "int32_data")
    if fields and fields != [name]:
        raise FormatError(f"the values of a {dtype} tensor stand in {name}, not in {fields[0]}", place=place)
    return _from_values(getattr(tensor, name), dtype, shape, place)


def packed_size(dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """The bytes of an array in a file: types of less than a byte are packed.

    >>> from zerfoo_jax.formats.operators.data_types import dtype_named
    >>> packed_size(dtype_named("int4"), (3,))
    2
    """
    return bits.packed_size(math.prod(shape), bits_of(dtype))


def bits_of(dtype: np.dtype) -> int:
    """The bits of an element in a file."""
    return DTYPES[dtype.name].bits if dtype.name in DTYPES and dtype.kind != "b" else dtype.itemsize * 8


def _type_of(tensor: "TensorProto", place: str) -> tuple[np.dtype, tuple[int, ...]]:
    if tensor.HasField("segment"):
        raise FormatError("tensors in segments are not supported", place=place)
    if tensor.data_type not in DATA_TYPES:
        raise FormatError(f"there is no data type {tensor.data_type}", place=place)
    return dtype_of(tensor.data_type), check_shape(tensor.dims, place)


def _from_bytes(data: memoryview, dtype: np.dtype, shape: tuple[int, ...], place: str) -> np.ndarray:
    """The array in little-endian bytes."""
    if dtype.hasobject:
        raise FormatError("texts cannot stand in raw bytes", place=place)
    if len(data) != packed_size(dtype, shape):
        raise FormatError(f"{dtype} of shape {shape} takes {packed_size(dtype, shape):,} bytes, got {len(data):,}", place=place)
    if bits_of(dtype) < 8:
        return _unpacked(data, dtype, shape)
    if dtype.kind == "b":
        return _checked_bools(np.frombuffer(data, np.uint8), place).reshape(shape)
    return np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)


def _unpacked(data: np.ndarray | memoryview, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of 2, 4 or 6 bits that follow each other, the lowest bits of a byte first; one byte for each."""
    return bits.unpack(data, bits_of(dtype), math.prod(shape)).reshape(shape).view(dtype)


def _from_values(values: Sequence[Any], dtype: np.dtype, shape: tuple[int, ...], place: str) -> np.ndarray:
    """The array in a typed field; types that have no field of their own stand there as their bits."""
    if dtype.hasobject:
        found = np.array([_text(value, place) for value in values] + [None], object)[:-1]
        return _shaped(found, shape, place)
    if dtype.kind == "c":
        parts = np.array(values, np.float32 if dtype == np.complex64 else np.float64)
        return _shaped(parts.view(dtype) if parts.size % 2 == 0 else parts, shape, place)
    if str(dtype) in _FIELD_OF:
        found = np.array(values, np.uint64 if dtype == np.uint32 else dtype)
        return _shaped(_fitting(found, dtype, place), shape, place)
    found = np.array(values, np.int32)
    if dtype in (np.int8, np.int16, np.int32, np.uint8, np.uint16):
        return _shaped(_fitting(found, dtype, place), shape, place)
    if bits_of(dtype) in (2, 4):
        packed = _fitting(found, np.dtype(np.uint8), place)
        if packed.size != packed_size(dtype, shape):
            raise FormatError(f"{dtype} of shape {shape} does not stand in {packed.size} bytes", place=place)
        return _unpacked(packed, dtype, shape)
    codes = _fitting(found, np.dtype(f"uint{8 * dtype.itemsize}"), place)
    return _shaped(_checked_bools(codes, place) if dtype.kind == "b" else codes.view(dtype), shape, place)


def _text(value: bytes, place: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise FormatError(f"{brief(value)} is no text in UTF-8", place=place) from None


def _shaped(found: np.ndarray, shape: tuple[int, ...], place: str) -> np.ndarray:
    if found.size != math.prod(shape):
        raise FormatError(f"an array of shape {shape} has {math.prod(shape):,} elements, got {found.size:,}", place=place)
    return found.reshape(shape)


def _fitting(found: np.ndarray, dtype: np.dtype, place: str) -> np.ndarray:
    """The integers as that dtype; floats are returned as they are."""
    if dtype.kind in "iu" and found.size:
        limits = np.iinfo(dtype)
        if found.min() < limits.min or found.max() > limits.max:
            raise FormatError(f"the tensor holds integers that are no {dtype}", place=place)
    return found.astype(dtype, copy=False)


def _checked_bools(codes: np.ndarray, place: str) -> np.ndarray:
    if codes.size and codes.max() > 1:
        raise FormatError("the tensor holds truth values other than 0 and 1", place=place)
    return codes.view(bool)


def dense_of(sparse: "SparseTensorProto", place: str) -> np.ndarray:
    """The array that a sparse tensor stands for; `FormatError` where values and indices do not fit together."""
    shape = check_shape(sparse.dims, place)
    values, indices = array_of(sparse.values, place), array_of(sparse.indices, place)
    size = math.prod(shape)
    if size > min(MAX_ELEMENTS, MAX_DENSE) or values.ndim != 1 or indices.dtype != np.int64 or values.dtype.hasobject:
        raise FormatError(f"a sparse tensor of shape {shape} with {values.dtype} values is not supported", place=place)
    places = indices if indices.ndim == 1 else _flat(indices, shape, place)
    if places.shape != values.shape or (places.size and (places.min() < 0 or places.max() >= size)):
        raise FormatError("the indices of a sparse tensor do not fit its shape and values", place=place)
    found = np.zeros(size, values.dtype)
    found[places] = values
    return found.reshape(shape)


MAX_DENSE = 2**26
"""Elements of an array that a sparse tensor stands for."""


def _flat(indices: np.ndarray, shape: tuple[int, ...], place: str) -> np.ndarray:
    if indices.ndim != 2 or indices.shape[1] != len(shape) or (indices < 0).any() or (indices >= shape).any():
        raise FormatError("the indices of a sparse tensor do not fit its shape", place=place)
    return np.asarray(np.ravel_multi_index(tuple(indices.T), shape))
