"""The element types of safetensors files, and how arrays of other dtypes are kept in them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.numeric.dtypes import DTYPES


class StoredType(NamedTuple):
    """A type's name in a file, its bits there, and its dtype in memory, where every element takes at least a byte."""

    name: str
    bits: int
    dtype: np.dtype[Any]


STORED_TYPES: Mapping[str, StoredType] = {
    name: StoredType(name, bits, np.dtype(scalar))
    for name, bits, scalar in (
        ("BF16", 16, ml_dtypes.bfloat16),
        ("BOOL", 8, np.bool_),
        ("C64", 64, np.complex64),
        ("F16", 16, np.float16),
        ("F32", 32, np.float32),
        ("F4", 4, ml_dtypes.float4_e2m1fn),
        ("F64", 64, np.float64),
        ("F6_E2M3", 6, ml_dtypes.float6_e2m3fn),
        ("F6_E3M2", 6, ml_dtypes.float6_e3m2fn),
        ("F8_E4M3", 8, ml_dtypes.float8_e4m3fn),
        ("F8_E4M3FNUZ", 8, ml_dtypes.float8_e4m3fnuz),
        ("F8_E5M2", 8, ml_dtypes.float8_e5m2),
        ("F8_E5M2FNUZ", 8, ml_dtypes.float8_e5m2fnuz),
        ("F8_E8M0", 8, ml_dtypes.float8_e8m0fnu),
        ("I16", 16, np.int16),
        ("I32", 32, np.int32),
        ("I64", 64, np.int64),
        ("I8", 8, np.int8),
        ("U16", 16, np.uint16),
        ("U32", 32, np.uint32),
        ("U64", 64, np.uint64),
        ("U8", 8, np.uint8),
    )
}
"""By name. https://github.com/huggingface/safetensors, `Dtype`."""

BY_DTYPE: Mapping[str, StoredType] = {stored.dtype.name: stored for stored in STORED_TYPES.values()}

_CHUNK = 2**18
"""Elements that are packed or unpacked at once."""


def packed_bits(dtype: np.dtype[Any], place: str = "") -> int:
    """The bits of one element of an array that no type of the format holds, and that is kept as packed bytes.

    Raises `FormatError` for what is no number.

    >>> packed_bits(np.dtype(ml_dtypes.int4)), packed_bits(np.dtype(np.complex128))
    (4, 128)
    """
    if dtype.name in DTYPES:
        return DTYPES[dtype.name].bits
    if dtype == np.complex128:
        return 128
    raise FormatError(f"an array of dtype {dtype} cannot be kept", place=place, fix="convert it, or leave it out")


def packed_size(count: int, bits: int) -> int:
    """The bytes that so many elements take, the last one filled up."""
    return -(-count * bits // 8)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """One byte per element to `bits` bits per element, the first one lowest.

    >>> pack(np.array([1, 2, 3], np.uint8), 4).tolist()
    [33, 3]
    """
    parts = []
    for start in range(0, len(codes), _CHUNK):
        flags = np.unpackbits(codes[start : start + _CHUNK, None], axis=1, count=bits, bitorder="little")
        parts.append(np.packbits(flags, bitorder="little"))
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The inverse of `pack` for `count` elements."""
    codes = np.empty(count, np.uint8)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        flags = np.unpackbits(packed[start * bits // 8 :][: packed_size(size, bits)], count=size * bits, bitorder="little")
        codes[start : start + size] = np.packbits(flags.reshape(size, bits), axis=1, bitorder="little")[:, 0]
    return codes
