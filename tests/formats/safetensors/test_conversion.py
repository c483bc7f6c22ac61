"""Any numeric type to any other and back: values within half a scale, computed anew in exact arithmetic."""

from fractions import Fraction
import json

import ml_dtypes
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats.safetensors import convert_tensors, from_bytes, read_tensors, restore_tensors, to_bytes, write_tensors
from zerfoo_jax.formats.safetensors.loom import decode_f4, encode_f4
from zerfoo_jax.numeric.dtypes import DTYPES

FLOATS = ["float64", "float32", "float16", "bfloat16", "float4_e2m1fn"]
INTEGERS = ["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"]
TYPES = FLOATS + INTEGERS


def drawn(dtype: str, seed: int = 0) -> np.ndarray:
    """Values over the whole range of integers, and around 0 for floats; the ends are among them."""
    rng, of = np.random.default_rng(seed), DTYPES[dtype]
    if of.kind == "float":
        return (rng.standard_normal((4, 25)) * 2).astype(of.numpy)
    values = rng.integers(of.smallest, of.largest, (4, 25), of.numpy, endpoint=True)
    values[0, :2] = of.smallest, of.largest
    return values


def exact(values: np.ndarray) -> list[Fraction]:
    return [Fraction(int(v)) if v.dtype.kind in "iu" else Fraction(float(v)) for v in values.ravel()]


def spacing(dtype: str, largest: float) -> Fraction:
    """The step between neighbouring numbers of a type at a magnitude."""
    if DTYPES[dtype].kind != "float":
        return Fraction(1)
    info = ml_dtypes.finfo(DTYPES[dtype].numpy)
    return Fraction(2) ** (int(np.floor(np.log2(largest))) - info.nmant)


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("given", TYPES)
def test_every_type_to_every_type_and_back_through_a_file(given, to):
    values = drawn(given)
    codes, metadata = convert_tensors({"x": values}, to)
    assert codes["x"].dtype == DTYPES[to].numpy
    found = from_bytes(to_bytes(codes, metadata=metadata))
    assert np.array_equal(found["x"], codes["x"])
    restored = restore_tensors(found, found.metadata)["x"]
    assert restored.dtype == values.dtype and restored.shape == values.shape
    if given == to:
        assert restored.tobytes() == values.tobytes() and not metadata
        return
    told = json.loads(metadata["zerfoo.scale/x"])
    largest = max(abs(one) for one in exact(values))
    code = spacing(to, float(largest) / told["scale"]) * Fraction(told["scale"]) / 2
    own = spacing(given, float(largest)) / 2 if DTYPES[given].kind == "float" else Fraction(1, 2)
    # Scaling is computed in float64, which adds its own rounding to those of the codes and of the result.
    slack = largest * Fraction(2) ** -50 if (told["scale"], told["offset"]) != (1, 0) else 0
    bound = code + own + slack
    assert max(abs(a - b) for a, b in zip(exact(restored), exact(values), strict=True)) <= bound


@pytest.mark.parametrize(
    ("given", "to"),
    [
        *((a, b) for a in INTEGERS for b in INTEGERS if DTYPES[a].bits <= DTYPES[b].bits),
        *((a, b) for a in FLOATS for b in FLOATS[:2] if DTYPES[a].bits <= DTYPES[b].bits),
        *((a, "float64") for a in INTEGERS if DTYPES[a].bits < 64),
        *(("float32", b) for b in ("int64", "uint64")),
    ],
)
def test_a_type_that_can_hold_all_values_gives_them_back_exactly(given, to):
    values = drawn(given, 1)
    codes, metadata = convert_tensors({"x": values}, to)
    assert restore_tensors(codes, metadata)["x"].tobytes() == values.tobytes()


def test_few_integers_keep_their_values_in_a_small_type():
    for values, to in ((np.array([-3, 100], np.int64), "int8"), (np.array([1.0, 200.0], np.float32), "uint8")):
        codes, metadata = convert_tensors({"x": values}, to)
        assert codes["x"].tolist() == values.tolist()
        assert restore_tensors(codes, metadata)["x"].tolist() == values.tolist()


@pytest.mark.parametrize(("given", "to"), [("int64", "int8"), ("uint32", "int8"), ("int64", "uint8"), ("int16", "uint8")])
@pytest.mark.parametrize("lowest", [1000, -1000])
def test_integers_far_from_zero_that_span_no_more_than_the_range_are_moved(given, to, lowest):
    values = np.array([abs(lowest) if given == "uint32" else lowest]) + np.array([0, 1, 200, 255])
    values = values.astype(given)
    codes, metadata = convert_tensors({"x": values}, to)
    assert restore_tensors(codes, metadata)["x"].tolist() == values.tolist()
    assert json.loads(metadata["zerfoo.scale/x"])["scale"] == 1


def test_values_beyond_a_floats_range_are_scaled():
    values = np.array([1e300, -2e300, 0], np.float64)
    for to in ("float32", "float16", "bfloat16", "float8_e4m3fn", "float4_e2m1fn"):
        codes, metadata = convert_tensors({"x": values}, to)
        assert np.isfinite(codes["x"].astype(np.float64)).all()
        np.testing.assert_allclose(restore_tensors(codes, metadata)["x"], values, rtol=0.1)


def test_constants_zeros_and_nothing_come_back():
    for values in (np.zeros(3, np.float32), np.full(3, -2.5, np.float32), np.empty((0, 2), np.float32), np.float32(0.3)):
        for to in TYPES:
            codes, metadata = convert_tensors({"x": values}, to)
            restored = restore_tensors(codes, metadata)["x"]
            np.testing.assert_allclose(restored, values, rtol=0.01)
            assert restored.shape == np.shape(values)


def test_nan_and_infinity_stay_in_wide_floats_and_are_refused_elsewhere():
    values = np.array([np.nan, np.inf, 1], np.float32)
    codes, metadata = convert_tensors({"x": values}, "float16")
    np.testing.assert_array_equal(restore_tensors(codes, metadata)["x"], values)
    for to in ("int8", "uint64", "float4_e2m1fn", "float8_e4m3fn"):
        with pytest.raises(FormatError, match="tensor 'x'"):
            convert_tensors({"x": values}, to)


def test_booleans_stay_booleans_and_an_unknown_type_is_refused():
    codes, metadata = convert_tensors({"x": np.array([True])}, "int8")
    assert codes["x"].dtype == bool and not metadata
    with pytest.raises(ConfigError, match="unknown dtype 'int5'"):
        convert_tensors({}, "int5")


LOOM = [
    *((0.0, 0.0), (0.1249, 0.0), (0.125, 0.75), (0.9, 0.75), (1.0, 1.0), (1.49, 1.0), (1.5, 1.5), (1.99, 1.5)),
    *((2.0, 2.0), (2.99, 2.0), (3.0, 3.0), (3.99, 3.0), (4.0, np.nan), (6.0, np.nan), (1e9, np.nan), (np.nan, np.nan)),
]


@pytest.mark.parametrize("sign", [1, -1])
def test_looms_own_four_bits(sign, tmp_path):
    written, read = (sign * np.array(column, np.float32) for column in zip(*LOOM, strict=True))
    np.testing.assert_array_equal(decode_f4(encode_f4(written)), read)
    codes, metadata = convert_tensors({"x": written}, "float4_e2m1fn", compatibility="loom")
    assert metadata == {}
    write_tensors(codes, tmp_path / "x.safetensors")
    np.testing.assert_array_equal(read_tensors(tmp_path / "x.safetensors", compatibility="loom")["x"], read)
    assert read_tensors(tmp_path / "x.safetensors")["x"].dtype.name == "float4_e2m1fn"


def test_looms_files_of_an_odd_number_of_four_bits_are_read_as_it_wrote_them():
    # Low half first: codes 1, 10 and 3; the last byte is filled up.
    header = b'{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}'
    data = len(header).to_bytes(8, "little") + header + bytes([0xA1, 0x03])
    assert from_bytes(data, compatibility="loom")["x"].tolist() == [0.75, -1, 1.5]
    with pytest.raises(FormatError, match="no whole bytes"):
        from_bytes(data)


def test_looms_integers_are_cut_off():
    codes, metadata = convert_tensors({"x": np.array([1.9, -1.9, 300.0], np.float32)}, "int8", compatibility="loom")
    assert codes["x"].tolist() == [1, -1, 127] and metadata == {}
