"""The number types of bundles of version 2, number by number from their formulas."""

import math
import struct

import ml_dtypes
import numpy as np
import pytest

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.loom.numbers import NUMBERS

VALUES = np.float32([0, -0.0, 0.3, -0.3, 0.99, -0.99, 0.0123, -0.0017, 2**-10, 0.499999, 1, -1, 3e-6])


def small_float(v: float, fraction: int, bias: int, largest: int) -> int:
    """The code of a float with so many bits of fraction, the rest cut off and what would be subnormal made 0."""
    if v == 0:
        return 0
    mantissa, exponent = math.frexp(abs(v))
    exponent += bias - 1
    if exponent <= 0:
        return 0
    return min(exponent << fraction | int((2 * mantissa - 1) * 2**fraction), largest)


def sign(v: float, bit: int) -> int:
    return bit if math.copysign(1, v) < 0 else 0


CODES = {
    "int8": (lambda v: max(-127, min(127, int(v * 127))), "<b"),
    "int16": (lambda v: max(-32767, min(32767, int(v * 32767))), "<h"),
    "int32": (lambda v: int(v * 2147483647), "<i"),
    "int64": (lambda v: int(v * 127), "<q"),
    "uint8": (lambda v: int((v + 1) * 127.5), "<B"),
    "uint16": (lambda v: int((v + 1) * 32767.5), "<H"),
    "uint32": (lambda v: int((v + 1) * 2147483647.5), "<I"),
    "uint64": (lambda v: int((v + 1) * 9.223372e18), "<Q"),
    "float64": (float, "<d"),
    "float32": (float, "<f"),
    "float16": (lambda v: small_float(v, 10, 15, 0x7C00) | sign(v, 0x8000), "<H"),
    "float8": (lambda v: small_float(v, 3, 7, 0x7E) | sign(v, 0x80), "<B"),
    "bfloat16": (lambda v: int(np.float32(v).astype(ml_dtypes.bfloat16).view(np.uint16)), "<H"),
}
NIBBLES = {
    "int4": lambda v: max(-8, min(7, int(v / 8))) & 15,
    "float4": lambda v: int((max(-1.0, min(1.0, v)) + 1) * 7.5),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_codes_are_looms(name):
    if name in NIBBLES:
        codes = [NIBBLES[name](float(v)) for v in VALUES] + [0]
        want = bytes(high << 4 | low for high, low in zip(codes[::2], codes[1::2], strict=True))
    else:
        code, form = CODES[name]
        want = b"".join(struct.pack(form, code(float(v))) for v in VALUES)
    number = NUMBERS[name]
    assert number.write(VALUES, number.scale, loom=True) == want
    assert number.size(VALUES.size) == len(want)


@pytest.mark.parametrize("name", NUMBERS)
def test_ours_are_as_near_as_can_be(name):
    number = NUMBERS[name]
    values = np.clip(np.random.default_rng(0).standard_normal(1001) / 3, -1, 1).astype(np.float32)
    scale = number.fitting([values], "x")
    step = {"int4": 8 / scale, "float4": 1 / 7.5, "int64": 1 / 127}.get(name)
    step = step or (2 / 2**number.bits * 1.01 if number.stored.kind in "iu" else 0)
    read = number.read(number.write(values, scale), values.size, scale)
    precision = {"float8": 2**-4, "bfloat16": 2**-8, "float16": 2**-11}.get(name, 0)
    assert (
        np.abs(read - values) <= step / 2 + np.abs(values) * (precision + 2**-23) + 2**-10 * (name == "float8") + 2**-25
    ).all()
    again = number.write(read, number.fitting([read], "x"))
    assert again == number.write(values, scale)


def test_the_scale_is_made_to_fit():
    large = [np.float32([4, -2])]
    assert NUMBERS["int8"].fitting(large, "x") == 127 / 4
    assert NUMBERS["float4"].fitting(large, "x") == 4
    assert NUMBERS["int4"].fitting([np.float32([8, -56])], "x") == 1
    for name, values in (("uint16", [1.5]), ("float8", [500.0]), ("float16", [1e5])):
        with pytest.raises(FormatError, match="does not fit"):
            NUMBERS[name].fitting([np.float32(values)], "x")
    with pytest.raises(FormatError, match="NaN or infinite"):
        NUMBERS["int8"].fitting([np.float32([np.nan])], "x")
