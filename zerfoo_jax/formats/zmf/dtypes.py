"""The numbers by which ZMF knows dtypes, and their names."""

from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, brief, nearest
from zerfoo_jax.numeric.dtypes import DTYPES

BFLOAT16, STRING, INT64, NAMED = 0, 10, 8, 100

NUMBERS: dict[str, int] = {
    "bfloat16": BFLOAT16,
    "bool": 1,
    "float16": 2,
    "float32": 3,
    "float64": 4,
    "float8_e4m3fn": 5,
    "int16": 6,
    "int32": 7,
    "int64": INT64,
    "int8": 9,
    "object": STRING,
    "uint32": 11,
    "uint64": 12,
    "uint8": 13,
}
"""An array of texts has NumPy's dtype `object`. Dtypes without a number are written by their name."""

BLOCKS = {14: "Q4_0", 15: "Q8_0"}

_NAMES = {number: name for name, number in NUMBERS.items()}
_NAMED: dict[str, np.dtype[Any]] = {
    **{name: one.numpy for name, one in DTYPES.items()},
    **{name: np.dtype(name) for name in ("complex64", "complex128", "object")},
}


def dtype_of(number: int, name: str = "") -> np.dtype[Any]:
    """The dtype of a number, or where that says so of a name; those of blocks of numbers are float32.

    Raises `FormatError` for unknown ones.
    """
    if number in BLOCKS:
        return np.dtype(np.float32)
    if number != NAMED and name:
        raise FormatError(f"a dtype of number {number} and the name {brief(name)}")
    return named_dtype(name) if number == NAMED else named_dtype(_NAMES.get(number, f"number {number}"))


def named_dtype(name: str) -> np.dtype[Any]:
    """The dtype of that name; `FormatError` for an unknown one."""
    if name not in _NAMED:
        raise FormatError(f"there is no dtype {brief(name)}", fix=nearest(name, _NAMED))
    return _NAMED[name]


def number_of(dtype: np.dtype[Any]) -> tuple[int, str]:
    """The number that a dtype has in ZMF and, where that does not say it, its name; `ConfigError` for what has neither."""
    name = "object" if dtype.kind in "OUT" else dtype.name
    if name in NUMBERS:
        return NUMBERS[name], ""
    if name not in _NAMED:
        raise ConfigError(f"arrays of {name} cannot be written")
    return NAMED, name
