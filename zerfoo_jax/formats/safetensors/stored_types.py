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
