"""The numbers by which the ONNX specification names data types, in Cast's `to` and in tensors, as NumPy dtype names.

Names beyond NumPy's own are those of `ml_dtypes`. Texts are `object` arrays.
"""

import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import FormatError

DATA_TYPES: dict[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "object",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4_e2m1fn",
    24: "float8_e8m0fnu",
    25: "uint2",
    26: "int2",
    27: "float6_e2m3fn",
    28: "float6_e3m2fn",
}
"""`TensorProto.DataType`."""

NUMBERS: dict[str, int] = {name: number for number, name in DATA_TYPES.items()}
"""The other way round."""


def dtype_of(number: int) -> np.dtype:
    """The dtype with a number of the specification; `FormatError` for one that there is not.

    >>> dtype_of(1), dtype_of(16)
    (dtype('float32'), dtype(bfloat16))
    """
    if number not in DATA_TYPES:
        raise FormatError(f"there is no data type {number}")
    return dtype_named(DATA_TYPES[number])


def dtype_named(name: str) -> np.dtype:
    """The dtype of that name, NumPy's own or one of `ml_dtypes`."""
    return np.dtype(_MORE.get(name, name))


_MORE = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "float8_e8m0fnu": ml_dtypes.float8_e8m0fnu,
    "float6_e2m3fn": ml_dtypes.float6_e2m3fn,
    "float6_e3m2fn": ml_dtypes.float6_e3m2fn,
    "float4_e2m1fn": ml_dtypes.float4_e2m1fn,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int2": ml_dtypes.int2,
    "uint2": ml_dtypes.uint2,
}
