"""Packed numbers, beside Python's integers of any length."""

import ml_dtypes
import numpy as np
import pytest

from zerfoo_jax.numeric import bits


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("width", range(1, 9))
def test_numbers_follow_each_other(width, order):
    chance = np.random.default_rng(width)
    for count in (0, 1, 2, 3, 7, 8, 9, 100):
        codes = chance.integers(0, 2**width, count, np.uint8)
        number = 0
        for i, code in enumerate(codes.tolist()):
            number |= code << (i * width if order == "little" else (count - 1 - i) * width)
        size = bits.packed_size(count, width)
        if order == "big":
            number <<= size * 8 - count * width
        assert bits.pack(codes, width, order).tobytes() == number.to_bytes(size, order)
        for given in (number.to_bytes(size, order), memoryview(number.to_bytes(size, order))):
            np.testing.assert_array_equal(bits.unpack(given, width, count, order), codes)


@pytest.mark.parametrize("order", ["little", "big"])
def test_many_numbers_are_packed_in_portions(order, monkeypatch):
    codes = np.random.default_rng(0).integers(0, 8, 100, np.uint8)
    whole = bits.pack(codes, 3, order)
    monkeypatch.setattr(bits, "_CHUNK", 16)
    np.testing.assert_array_equal(bits.pack(codes, 3, order), whole)
    np.testing.assert_array_equal(bits.unpack(whole, 3, 100, order), codes)


def test_bits_above_are_left_out_and_signs_come_back():
    values = np.arange(-8, 8).astype(ml_dtypes.int4)
    found = bits.unpack(bits.pack(values.reshape(4, 4), 4), 4, 16)
    np.testing.assert_array_equal(bits.signed(found, 4), values.astype(np.int8))
