import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.numeric.dtypes import DTYPES
from zerfoo_jax.numeric.quantization import affine, decode, dequantize, encode, pack_nibbles, quantize, unpack_nibbles

KINDS = ["int8", "uint8", "int4", "uint4", "int2"]


def by_hand(numbers, name, symmetric):
    """Scale, zero point and codes of numbers that share them, from the equations, in Python's own numbers."""
    smallest, largest = int(DTYPES[name].smallest), int(DTYPES[name].largest)
    low, high = min(0.0, *numbers), max(0.0, *numbers)
    if symmetric:
        zero = 0 if smallest else (largest + 1) // 2
        scale = max(-low, high) / (largest if smallest else largest - zero)
    else:
        scale = (high - low) / (largest - smallest)
        zero = min(max(round(smallest - low / scale), smallest), largest)
    return scale, zero, [min(max(round(x / scale) + zero, smallest), largest) for x in numbers]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_codes_scales_and_zero_points_are_those_of_the_equations(name, symmetric, seed):
    x = np.random.default_rng(seed).normal(0.4, 1.0, size=(7, 5))
    groups = {
        None: [[(i, j) for i in range(7) for j in range(5)]],
        (0,): [[(i, j) for i in range(7)] for j in range(5)],
        (1,): [[(i, j) for j in range(5)] for i in range(7)],
        "blocks": [[(i, j) for i in range(b, min(b + 3, 7))] for b in (0, 3, 6) for j in range(5)],
    }
    for shared, cells in groups.items():
        options = {"shared": (0,), "block": (0, 3)} if shared == "blocks" else {"shared": shared}
        found = quantize(x, name, symmetric=symmetric, **options)
        scales, zeros = np.ravel(found.scale), np.zeros(len(cells)) if found.zero_point is None else np.ravel(found.zero_point)
        for group, got_scale, got_zero in zip(cells, scales, zeros, strict=True):
            scale, zero, codes = by_hand([x[cell] for cell in group], name, symmetric)
            assert got_scale == pytest.approx(scale, rel=1e-12) and int(got_zero) == zero
            assert [int(found.codes[cell]) for cell in group] == codes
        error = np.abs(dequantize(found) - x)
        assert found.codes.dtype == DTYPES[name].numpy and error.max() <= scales.max() * (0.5 if symmetric else 1.001)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["int8", "uint8"])
def test_what_codes_stand_for_is_torchs(torch, name):
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    found = quantize(x, name, shared=(0,), symmetric=False)
    # For torch, a scale divides by being inverted first: one of a power of two is the same either way.
    scale = (2.0 ** np.ceil(np.log2(found.scale * 0.7))).astype(np.float32)
    zero = torch.tensor(np.ravel(found.zero_point).astype(np.int32))
    ends = (int(DTYPES[name].smallest), int(DTYPES[name].largest))
    theirs = torch.fake_quantize_per_channel_affine(torch.tensor(x), torch.tensor(scale.ravel()), zero, 1, *ends)
    ours = decode(encode(x, scale, found.zero_point, name), scale, found.zero_point)
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2"])
def test_floating_codes_reach_their_largest_number(name):
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    found = quantize(x, name, shared=(0,))
    assert (np.abs(found.codes.astype(np.float32)).max(0) == DTYPES[name].largest).all()
    error = np.abs(dequantize(found) - x)
    assert (error <= np.abs(x) * (2**-4 if name == "float8_e4m3fn" else 2**-3) * 1.001 + 1e-5).all()


def test_jax_arrays_give_what_numpy_arrays_give():
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    for name in (*KINDS, "float8_e4m3fn"):
        options = {"shared": (-2,), "block": (-2, 4)}
        ours = jax.jit(lambda x, name=name: quantize(x, name, **options))(jnp.asarray(x))  # noqa: B023
        plain = quantize(x, name, **options)
        np.testing.assert_allclose(ours.scale, plain.scale, rtol=1e-6)
        assert np.abs(np.asarray(ours.codes).astype(np.float32) - plain.codes.astype(np.float32)).max() <= 1e-6 or name in KINDS
        np.testing.assert_allclose(dequantize(ours), dequantize(plain), atol=1e-5)


def test_nothing_but_zeros_keeps_a_scale():
    found = quantize(np.zeros((2, 3), np.float32), "int8", shared=(0,))
    assert (found.scale == 1).all() and (found.codes == 0).all()
    scale, zero = affine(np.float32([2.0]), np.float32([6.0]), "uint8", symmetric=False)
    assert zero.tolist() == [0] and scale == np.float32(6 / 255)


@pytest.mark.parametrize("name", ["int4", "uint4"])
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("count", [1, 6, 7])
def test_packing_keeps_every_code_and_puts_the_even_ones_low(name, axis, count):
    shape = [3, 4, 5]
    shape[axis] = count
    entry = DTYPES[name]
    codes = np.random.default_rng(0).integers(entry.smallest, entry.largest + 1, shape).astype(name)
    packed = pack_nibbles(codes, axis)
    assert packed.dtype == np.uint8 and packed.shape[axis] == (count + 1) // 2
    even = np.take(codes, 0, axis).astype(np.int64) & 15
    np.testing.assert_array_equal(np.take(packed, 0, axis) & 15, even)
    back = unpack_nibbles(packed, count, name, axis)
    np.testing.assert_array_equal(back.astype(np.int8), codes.astype(np.int8))
    ours = jax.jit(lambda x: unpack_nibbles(pack_nibbles(x, axis), count, name, axis))(jnp.asarray(codes))
    np.testing.assert_array_equal(np.asarray(ours).astype(np.int8), codes.astype(np.int8))


def test_what_has_no_codes_is_refused():
    with pytest.raises(ConfigError, match="no asymmetric codes in float8_e4m3fn"):
        quantize(np.ones(2), "float8_e4m3fn", symmetric=False)
    with pytest.raises(ConfigError, match="no symmetric codes in bool"):
        quantize(np.ones(2), "bool")
    with pytest.raises(ShapeError, match=r"block \(1, 2\) is not along a shared axis \(0,\)"):
        quantize(np.ones((2, 4)), shared=(0,), block=(1, 2))
