"""The number types of LOOM's second generation: how their bytes are packed, and what they stand for.

Floating-point types of 16 bits and more stand for themselves, all others for code · scale. Bytes are little-endian; codes of
less than a byte begin in its highest bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.numeric import bits


@dataclass(frozen=True)
class Packing:
    """One type: the bits of a code, the values of codes, and whether the scale applies to them."""

    bits: int
    values: Callable[[np.ndarray], np.ndarray]
    scaled: bool = True
    stored: np.dtype[Any] | None = None
    """Where a code takes a byte or more."""

    def size(self, count: int) -> int:
        """The bytes of so many numbers."""
        return bits.packed_size(count, self.bits)

    def read(self, data: bytes | memoryview, count: int, scale: float) -> np.ndarray:
        """The values of `size(count)` bytes, float32."""
        if self.stored is None:
            codes = bits.unpack(data, self.bits, count, "big")
        else:
            codes = np.frombuffer(data, self.stored.newbyteorder("<") if self.stored.kind in "iuf" else self.stored)
        with np.errstate(over="ignore"):
            values = self.values(codes).astype(np.float32)
            return values * np.float32(scale) if self.scaled else values


def _same(codes: np.ndarray) -> np.ndarray:
    return codes


def _whole(name: Any, scaled: bool = True) -> Packing:
    dtype = np.dtype(name)
    return Packing(dtype.itemsize * 8, _same, scaled, dtype)


def _signed(width: int) -> Packing:
    return Packing(width, lambda codes: bits.signed(codes, width))


_FP4 = np.array([0, 0.75, 1, 1.5, 2, 3, 4, 6], np.float32)
"""LOOM's values, of which the first above 0 is not the standard's 0.5; LOOM writes none of the last two and reads them as
infinity and NaN."""


def _fp4(codes: np.ndarray, values: np.ndarray = _FP4) -> np.ndarray:
    return np.where(codes >= 8, -1, 1).astype(np.float32) * values[codes & 7]


def _loom_fp4(codes: np.ndarray) -> np.ndarray:
    return _fp4(codes, np.array([*_FP4[:6], np.inf, np.nan], np.float32))


PACKINGS: dict[str, Packing] = {
    "bfloat16": _whole(ml_dtypes.bfloat16, scaled=False),
    "binary": Packing(1, lambda codes: codes.astype(np.int8) * 2 - 1),
    "float16": _whole(np.float16, scaled=False),
    "float32": _whole(np.float32, scaled=False),
    "float64": _whole(np.float64, scaled=False),
    "fp4": Packing(4, _fp4),
    "fp8e4m3": _whole(ml_dtypes.float8_e4m3fn),
    "fp8e5m2": _whole(ml_dtypes.float8_e5m2),
    "int16": _whole(np.int16),
    "int2": _signed(2),
    "int32": _whole(np.int32),
    "int4": _signed(4),
    "int64": _whole(np.int64),
    "int8": _whole(np.int8),
    "ternary": _signed(2),
    "uint16": _whole(np.uint16),
    "uint2": Packing(2, _same),
    "uint32": _whole(np.uint32),
    "uint4": Packing(4, _same),
    "uint64": _whole(np.uint64),
    "uint8": _whole(np.uint8),
}
"""The types by their names in a file."""


def unpacked(dtype: str, data: bytes | memoryview, count: int, scale: float, place: str, loom: bool = False) -> np.ndarray:
    """So many float32 numbers from all the bytes of a blob; `FormatError` where they are not as many."""
    packing = PACKINGS[dtype]
    if len(data) != packing.size(count):
        wanted = f"{count:,} numbers of {dtype} take {packing.size(count):,}"
        raise FormatError(f"{len(data):,} bytes, where {wanted}", place=place)
    return (Packing(4, _loom_fp4) if loom and dtype == "fp4" else packing).read(data, count, scale)
