"""The number types of first-generation bundles of version 2, each a code that stands for value · scale.

Signed integers: code = value · scale, for int4 value · scale / 8. Unsigned integers: code = (value + 1) · half, for values from
-1 to 1. float4 is 16 equal steps: code = (value / scale + 1) · 7.5. float8 is E4M3.

LOOM cuts codes off towards zero, so that reading and writing once more loses a step, and its int4 turns most weights into 0.
Here codes are rounded to the nearest, weights that LOOM has written keep their codes, and the scale is made to fit. What
LOOM writes itself is what `loom=True` gives.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.numeric import bits


@dataclass(frozen=True)
class Number:
    """One type: how many bits it takes in the file and how its codes are made; see the module."""

    bits: int
    to_codes: Callable[[np.ndarray, float, bool], np.ndarray]
    to_values: Callable[[np.ndarray, float], np.ndarray]
    stored: np.dtype[Any]
    scale: float = 1.0
    """What LOOM always uses."""
    largest: float = np.inf
    """The largest value that fits with a scale of `scale`."""
    shrinks: bool = True
    """Whether a greater scale holds smaller values: the code is value · scale, not value / scale."""
    steps: bool = False
    """Whether values between -`largest` and `largest` would all but vanish with a scale of `scale`."""

    def size(self, count: int) -> int:
        """The bytes of so many numbers."""
        return bits.packed_size(count, self.bits)

    def read(self, data: bytes, count: int, scale: float) -> np.ndarray:
        """The values of `size(count)` bytes, float32."""
        if self.bits < 8:
            codes = bits.unpack(data, self.bits, count, "big")
        else:
            codes = np.frombuffer(data, self.stored.newbyteorder("<"))
        with np.errstate(over="ignore"):
            return self.to_values(codes, scale).astype(np.float32)

    def write(self, values: np.ndarray, scale: float, loom: bool = False) -> bytes:
        """The bytes of float32 values."""
        codes = self.to_codes(values.astype(np.float64), scale, loom)
        if not loom:
            own = self.to_codes(values.astype(np.float64), scale, True)
            codes = np.where(self.to_values(own, scale).astype(np.float32) == values, own, codes)
        if self.bits < 8:
            return bits.pack(codes.astype(self.stored), self.bits, "big").tobytes()
        return codes.astype(self.stored.newbyteorder("<")).tobytes()

    def fitting(self, arrays: list[np.ndarray], place: str) -> float:
        """The scale for these weights: LOOM's where that holds them, else the one at which the largest just fits."""
        largest = max((float(np.abs(array).max()) for array in arrays if array.size), default=0.0)
        if not np.isfinite(largest):
            if self.stored.itemsize > 1 and self.stored.kind not in "iu":
                return self.scale
            raise FormatError("a weight is NaN or infinite", place=place, fix="write it as float32")
        lost = self.steps and any(not self._keeps(array) for array in arrays)
        if largest <= self.largest and not lost:
            return self.scale
        if not self.scale_matters:
            raise FormatError(
                f"a weight of {largest:.6g} does not fit, this type holds {-self.largest:g} to {self.largest:g}",
                place=place,
                fix="choose another dtype",
            )
        return self.scale * (self.largest / largest if self.shrinks else largest / self.largest)

    @property
    def scale_matters(self) -> bool:
        """Whether the type takes a scale at all."""
        return self.stored.kind == "i" or self.steps or not self.shrinks

    def _keeps(self, array: np.ndarray) -> bool:
        codes = self.to_codes(array.astype(np.float64), self.scale, False)
        return bool(np.array_equal(self.to_values(codes, self.scale).astype(np.float32), array))


def _integer(name: str, scale: float, limits: tuple[int, int], unit: float = 1.0) -> Number:
    stored, low, high = np.dtype(name), float(limits[0]), float(limits[1])

    def to_codes(values: np.ndarray, scale: float, loom: bool) -> np.ndarray:
        exact = values * scale / unit
        # The largest float64 below 2^63 is as far as an int64 can be made from.
        cut = np.clip(np.trunc(exact) if loom else np.rint(exact), low, np.nextafter(high, 0) if high >= 2**63 - 1 else high)
        return cut.astype(stored) & (15 if unit != 1 else -1)

    def to_values(codes: np.ndarray, scale: float) -> np.ndarray:
        codes = bits.signed(codes, 4) if unit != 1 else codes
        return codes.astype(np.float64) * unit / scale

    width = 4 if unit != 1 else stored.itemsize * 8
    return Number(width, to_codes, to_values, stored, scale, high * unit / scale, steps=unit != 1)


def _unsigned(name: str, half: float) -> Number:
    stored = np.dtype(name)

    def to_codes(values: np.ndarray, scale: float, loom: bool) -> np.ndarray:
        exact = (np.clip(values, -1, 1) + 1) * half
        return (np.trunc(exact) if loom else np.minimum(np.rint(exact), np.trunc(2 * half))).astype(stored)

    def to_values(codes: np.ndarray, scale: float) -> np.ndarray:
        return codes.astype(np.float64) / half - 1

    return Number(stored.itemsize * 8, to_codes, to_values, stored, float(2 ** (stored.itemsize * 8) - 1), 1.0)


def _floating(stored: Any, cut: Callable[[np.ndarray], np.ndarray] | None = None) -> Number:
    dtype = np.dtype(stored)
    largest = float(ml_dtypes.finfo(dtype).max)

    def to_codes(values: np.ndarray, scale: float, loom: bool) -> np.ndarray:
        narrow = values.astype(np.float32)
        if loom and cut is not None:
            return cut(narrow.view(np.uint32)).view(dtype)
        return (np.clip(narrow, -largest, largest) if dtype.itemsize < 2 else values).astype(dtype)

    return Number(dtype.itemsize * 8, to_codes, lambda codes, scale: codes.astype(np.float64), dtype, largest=largest)


def _cut_to_half(single: np.ndarray) -> np.ndarray:
    """float16 from the bits of float32, the fraction cut off and what would be subnormal made 0."""
    sign, exponent, fraction = _fields(single, 15, 10)
    magnitude = np.where(exponent <= 0, 0, np.where(exponent >= 31, 0x7C00, exponent << 10 | fraction))
    return (sign << 15 | magnitude).astype(np.uint16)


def _cut_to_e4m3(single: np.ndarray) -> np.ndarray:
    """E4M3 in the same way; too large becomes the largest."""
    sign, exponent, fraction = _fields(single, 7, 3)
    magnitude = np.where(exponent <= 0, 0, np.minimum(np.clip(exponent, 0, 16) << 3 | fraction, 0x7E))
    return (sign << 7 | magnitude).astype(np.uint8)


def _fields(single: np.ndarray, bias: int, fraction: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wide = single.astype(np.int64)
    return wide >> 31, (wide >> 23 & 255) - 127 + bias, (wide & 0x7FFFFF) >> (23 - fraction)


def _float4_codes(values: np.ndarray, scale: float, loom: bool) -> np.ndarray:
    exact = (np.clip(values / scale, -1, 1) + 1) * 7.5
    return (np.trunc(exact) if loom else np.rint(exact)).astype(np.uint8)


def _float4_values(codes: np.ndarray, scale: float) -> np.ndarray:
    return (codes.astype(np.float64) / 7.5 - 1) * scale


NUMBERS: dict[str, Number] = {
    "bfloat16": _floating(ml_dtypes.bfloat16),
    "float16": _floating(np.float16, _cut_to_half),
    "float32": _floating(np.float32),
    "float4": Number(4, _float4_codes, _float4_values, np.dtype(np.uint8), 1.0, 1.0, shrinks=False),
    "float64": _floating(np.float64),
    "float8": _floating(ml_dtypes.float8_e4m3fn, _cut_to_e4m3),
    "int16": _integer("int16", 32767, (-32767, 32767)),
    "int32": _integer("int32", 2147483647, (-(2**31), 2**31 - 1)),
    "int4": _integer("int8", 1, (-8, 7), unit=8),
    "int64": _integer("int64", 127, (-(2**63), 2**63 - 1)),
    "int8": _integer("int8", 127, (-127, 127)),
    "uint16": _unsigned("uint16", 32767.5),
    "uint32": _unsigned("uint32", 2147483647.5),
    "uint64": _unsigned("uint64", 9.223372e18),
    "uint8": _unsigned("uint8", 127.5),
}
"""The types by their names in a file."""
