"""The dtypes that tensors may have, in memory and in files, and casts among them that mean the same everywhere.

Names are those of NumPy and ml_dtypes. Every number takes a whole byte in memory, int4 too; files pack the small ones.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import ConfigError, brief, nearest

Kind = Literal["float", "int", "uint", "bool"]
Rounding = Literal["nearest", "truncate"]


@dataclass(frozen=True)
class Dtype:
    """What there is to know of a dtype: its width in bits and its smallest and largest finite values."""

    name: str
    kind: Kind
    bits: int
    smallest: float
    largest: float
    numpy: np.dtype[Any]


def _floating(scalar: Any) -> Dtype:
    info = ml_dtypes.finfo(scalar)
    return Dtype(np.dtype(scalar).name, "float", int(info.bits), float(info.min), float(info.max), np.dtype(scalar))


def _integer(scalar: Any) -> Dtype:
    info = ml_dtypes.iinfo(scalar)
    kind: Kind = "int" if info.min < 0 else "uint"
    return Dtype(np.dtype(scalar).name, kind, int(info.bits), int(info.min), int(info.max), np.dtype(scalar))


DTYPES: dict[str, Dtype] = {
    "bfloat16": _floating(ml_dtypes.bfloat16),
    "bool": Dtype("bool", "bool", 1, 0, 1, np.dtype(bool)),
    "float16": _floating(np.float16),
    "float32": _floating(np.float32),
    "float4_e2m1fn": _floating(ml_dtypes.float4_e2m1fn),
    "float64": _floating(np.float64),
    "float6_e2m3fn": _floating(ml_dtypes.float6_e2m3fn),
    "float6_e3m2fn": _floating(ml_dtypes.float6_e3m2fn),
    "float8_e3m4": _floating(ml_dtypes.float8_e3m4),
    "float8_e4m3": _floating(ml_dtypes.float8_e4m3),
    "float8_e4m3b11fnuz": _floating(ml_dtypes.float8_e4m3b11fnuz),
    "float8_e4m3fn": _floating(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": _floating(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": _floating(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": _floating(ml_dtypes.float8_e5m2fnuz),
    "float8_e8m0fnu": _floating(ml_dtypes.float8_e8m0fnu),
    "int16": _integer(np.int16),
    "int2": _integer(ml_dtypes.int2),
    "int32": _integer(np.int32),
    "int4": _integer(ml_dtypes.int4),
    "int64": _integer(np.int64),
    "int8": _integer(np.int8),
    "uint16": _integer(np.uint16),
    "uint2": _integer(ml_dtypes.uint2),
    "uint32": _integer(np.uint32),
    "uint4": _integer(ml_dtypes.uint4),
    "uint64": _integer(np.uint64),
    "uint8": _integer(np.uint8),
}


def dtype_of(dtype: Any) -> Dtype:
    """The table's entry for a name, a NumPy dtype or a scalar type; `ConfigError` for any other.

    >>> dtype_of("float8_e4m3fn").largest, dtype_of(np.int8).bits, dtype_of(jnp.bfloat16).kind
    (448.0, 8, 'float')
    """
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    except TypeError as error:
        raise ConfigError(f"no dtype: {brief(dtype)}", fix=nearest(brief(dtype), DTYPES)) from error
    if name not in DTYPES:
        raise ConfigError(f"unknown dtype {brief(name)}", fix=nearest(name, DTYPES))
    return DTYPES[name]


def cast(x: Any, dtype: Any, *, saturate: bool = False, rounding: Rounding = "nearest") -> Any:
    """The array in another dtype: a NumPy array gives a NumPy array, a JAX array a JAX array.

    ======================  ========================================================================================
    to a float              the nearest number, the even one of two; beyond the range infinity, or NaN where there is none
    float to an integer     the nearest, the even one of two, or by `rounding="truncate"` towards 0; beyond the range the
                            last number within it; NaN becomes 0
    integer to an integer   what the low bits say, as in C
    to bool                 whether it is other than 0
    ======================  ========================================================================================

    With `saturate` whatever lies beyond the range, infinities too, becomes the last finite number that both dtypes reach; NaN
    stays NaN.
    All agrees with ml_dtypes bit for bit where that defines a result; as there, float64 reaches the floats of 8 and 16 bits
    other than float16 by way of float32 where ml_dtypes goes that way.

    Raises `ConfigError` for an unknown dtype, and for one that a JAX array cannot have (float6, and 64 bits unless enabled).

    >>> x = np.array([0.5, 1.5, -300.0, np.nan, 500.0])
    >>> cast(x, "int8").tolist(), cast(x, "uint8", rounding="truncate").tolist()
    ([0, 2, -128, 0, 127], [0, 1, 0, 0, 255])
    >>> cast(x[4:], "float8_e4m3fn").tolist(), cast(x[4:], "float8_e4m3fn", saturate=True).tolist()
    ([nan], [448.0])
    """
    wanted = dtype_of(dtype)
    xp: Any = jnp if isinstance(x, jax.Array) else np
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    given = dtype_of(x.dtype)
    if xp is jnp and not _jax_has(wanted):
        raise ConfigError(f"a JAX array cannot be {wanted.name}", fix="cast a NumPy array, or enable 64 bits for 64-bit dtypes")
    if wanted.kind == "bool":
        return x != x.dtype.type(0)
    with np.errstate(over="ignore", invalid="ignore"):
        if given.kind == "float" and wanted.kind == "float" and not saturate:
            return x.astype(wanted.numpy)
        x = x.astype(_wide(given))
        if given.kind == "float" and wanted.kind != "float":
            return _rounded(xp, x, wanted, rounding)
        return (_within(xp, x, given, wanted) if saturate else x).astype(wanted.numpy)


def _jax_has(dtype: Dtype) -> bool:
    wide_enough = dtype.bits < 64 or jax.dtypes.canonicalize_dtype(dtype.numpy) == dtype.numpy
    return wide_enough and not dtype.name.startswith("float6_")


def _rounded(xp: Any, x: Any, wanted: Dtype, rounding: Rounding) -> Any:
    """Floats as integers, kept within the range."""
    x = (xp.rint if rounding == "nearest" else xp.trunc)(x)
    # The largest value of a wide integer is no float: the power of two above it takes its place.
    above, below = x >= x.dtype.type(wanted.largest), x <= x.dtype.type(wanted.smallest)
    held = _wide(wanted)
    plain = xp.where(above | below | xp.isnan(x), x.dtype.type(0), x).astype(held)
    return xp.where(above, held.type(wanted.largest), xp.where(below, held.type(wanted.smallest), plain)).astype(wanted.numpy)


def _within(xp: Any, x: Any, given: Dtype, wanted: Dtype) -> Any:
    """`x`, in a dtype that holds the bounds exactly, clipped to what both dtypes can hold."""
    smallest, largest = max(wanted.smallest, given.smallest), min(wanted.largest, given.largest)
    if given.kind != "float":
        smallest, largest = ceil(smallest), int(largest)
    return xp.clip(x, x.dtype.type(smallest), x.dtype.type(largest))


def _wide(dtype: Dtype) -> np.dtype[Any]:
    """float32 in place of a narrower float, a byte in place of a part of one: where arithmetic is at home."""
    if dtype.kind == "float":
        return np.dtype(np.float64 if dtype.bits == 64 else np.float32)
    return dtype.numpy if dtype.bits >= 8 else np.dtype(np.int8 if dtype.kind == "int" else np.uint8)
