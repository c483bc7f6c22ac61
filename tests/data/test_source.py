import hashlib

import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.fingerprint import fingerprint_of
from zerfoo_jax.data.source import ArraySource
from zerfoo_jax.data.split import every_kth


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("u1", "u1"),
        ("f8", "f4"),
        ("i8", "i4"),
        ("u8", "i4"),
        (">f4", "f4"),
        (">i2", "i2"),
        (">i8", "i4"),
        ("f2", "f2"),
        ("?", "?"),
    ],
)
def test_dtypes_of_batches(given, expected):
    source = ArraySource(np.arange(6).reshape(3, 2).astype(given), np.arange(3))
    inputs = source.batch(np.array([2, 0]))["inputs"]
    assert inputs.dtype == np.dtype(expected) and inputs.dtype.isnative
    np.testing.assert_array_equal(inputs, np.array([[4, 5], [0, 1]]).astype(expected))


def test_ids_beyond_32_bits_are_refused_rather_than_wrapped():
    source = ArraySource(np.zeros(2), np.array([1, 2**31]))
    assert source.batch(np.array([0]))["targets"].tolist() == [1]
    with pytest.raises(DataError, match="targets hold int64 numbers beyond 32 bits"):
        source.batch(np.array([0, 1]))


def test_strides_do_not_matter_and_batches_are_copies():
    data = np.asfortranarray(np.arange(12.0, dtype=np.float32).reshape(4, 3))
    source = ArraySource(data[::-1], np.arange(4))
    batch = source.batch(np.array([0, 3]))["inputs"]
    np.testing.assert_array_equal(batch, [[9, 10, 11], [0, 1, 2]])
    assert not np.shares_memory(batch, data)


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros(3), np.zeros(4), "3 inputs but 4 targets"),
        (np.array(["a"]), np.zeros(1), "inputs of dtype <U1"),
        (np.zeros(1), np.array([None]), "targets of dtype object"),
        (np.zeros(1), np.array(1.0), r"shape \(\)"),
        (np.zeros(1, complex), np.zeros(1), "complex"),
    ],
)
def test_what_is_no_data_is_refused(inputs, targets, message):
    with pytest.raises(DataError, match=message):
        ArraySource(inputs, targets)


def test_fingerprints_tell_contents_shapes_and_dtypes_apart_and_are_stable():
    a = np.arange(6, dtype=np.int32)
    variants = [a, a + 1, a.reshape(2, 3), a.astype(np.int16), a.view(np.uint32), a[::-1]]
    assert len({fingerprint_of(v) for v in variants}) == len(variants)
    assert fingerprint_of(np.asfortranarray(a.reshape(2, 3))) == fingerprint_of(a.reshape(2, 3))
    assert len({fingerprint_of("ab", "c"), fingerprint_of("a", "bc"), fingerprint_of("abc")}) == 3
    expected = hashlib.sha256(b"<i4(3,)" + bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]) + b"1 x").hexdigest()[:16]
    assert fingerprint_of(np.arange(3, dtype="<i4"), "x") == expected


def test_the_fingerprint_of_a_large_array_sees_its_size_and_ends():
    large = np.zeros((70 * 2**20,), np.uint8)
    base = fingerprint_of(large)
    assert fingerprint_of(large[:-1]) != base
    large[-1] = 1
    assert fingerprint_of(large) != base


@pytest.mark.parametrize(("size", "k"), [(10, 2), (11, 3), (5, 5), (24, 5)])
def test_every_kth_example_is_held_out(size, k):
    whole = ArraySource(np.arange(size), np.arange(size))
    kept, held_out = (part.batch(np.arange(len(part)))["targets"].tolist() for part in every_kth(whole, k))
    assert held_out == [i for i in range(size) if i % k == k - 1]
    assert kept == [i for i in range(size) if i % k != k - 1]


def test_parts_have_fingerprints_of_their_own():
    whole = ArraySource(np.arange(24), np.arange(24))
    parts = (whole, *every_kth(whole, 3), *every_kth(whole, 4))
    assert len({part.fingerprint() for part in parts}) == 5


def test_too_few_examples_to_split():
    with pytest.raises(DataError, match="4 examples are too few"):
        every_kth(ArraySource(np.arange(4), np.arange(4)), 5)
