import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.numeric.dtypes import DTYPES, cast, dtype_of

FLOATS = sorted(name for name, d in DTYPES.items() if d.kind == "float")
INTEGERS = sorted(name for name, d in DTYPES.items() if d.kind in ("int", "uint"))
BYTES = sorted(name for name, d in DTYPES.items() if d.numpy.itemsize == 1 and name != "bool")
JAX_FLOATS = [name for name in FLOATS if not name.startswith("float6") and name != "float64"]
RNG = np.random.default_rng(0)


def codes(name):
    """Every value of a dtype of one byte."""
    return np.arange(2 ** DTYPES[name].bits, dtype=np.uint8).view(DTYPES[name].numpy)


def every_kind_of(dtype):
    """Random bits, small and middling numbers, and what is special: signed zeros, subnormals, infinities, NaNs."""
    width = np.dtype(dtype).itemsize
    bits = RNG.integers(0, 2 ** (8 * width) - 1, 20_000, dtype=f"uint{8 * width}", endpoint=True).view(dtype)
    with np.errstate(all="ignore"):
        usual = np.concatenate([RNG.normal(size=20_000) * s for s in (1, 1e-6, 300, 4e4)]).astype(dtype)
    tiny = np.finfo(dtype).smallest_subnormal
    special = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan, -np.nan, np.finfo(dtype).max], dtype)
    return np.concatenate([bits, usual, special])


def ties(name):
    """The values of a narrow dtype and all midpoints between neighbours, exactly, in float32."""
    values = codes(name).astype(np.float32)
    values = np.unique(values[np.isfinite(values)])
    return np.concatenate([values, (values[1:] + values[:-1]) / 2])


def same_bits(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    a, b = (np.ascontiguousarray(x).view(f"uint{8 * x.dtype.itemsize}") for x in (a, b))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_the_table_says_what_the_dtypes_hold(name):
    entry = DTYPES[name]
    assert entry.name == name and entry.numpy.name == name and dtype_of(name) is dtype_of(entry.numpy) is entry
    if entry.kind == "float":
        limits = ml_dtypes.finfo(entry.numpy)
        held = codes(name) if name in BYTES else np.array([limits.min, limits.max])
        held = held.astype(np.float64)
        held = held[np.isfinite(held)]
        assert (entry.smallest, entry.largest) == (held.min(), held.max())
    elif name != "bool":
        signed = entry.kind == "int"
        assert (entry.smallest, entry.largest) == ((-(2 ** (entry.bits - 1))) * signed, 2 ** (entry.bits - signed) - 1)


@pytest.mark.parametrize("source", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_cast_as_ml_dtypes_casts_them(name, source):
    x = every_kind_of(source)
    with np.errstate(all="ignore"):
        same_bits(cast(x, name), x.astype(name))


@pytest.mark.parametrize("name", [name for name in BYTES if DTYPES[name].kind == "float" and name != "float8_e8m0fnu"])
def test_ties_go_to_the_even_code(name):
    """The nearest code by search, the even one of two: a rule of our own against the library's rounding."""
    table = codes(name)
    values = table.astype(np.float64)
    finite = np.flatnonzero(np.isfinite(values) & ~np.signbit(values))
    order = finite[np.argsort(values[finite])]
    x = np.abs(ties(name))
    distance = np.abs(values[order][None] - x[:, None].astype(np.float64))
    nearest = distance == distance.min(axis=1, keepdims=True)
    even = nearest & (table[order].view(np.uint8)[None] % 2 == 0)
    wanted = order[np.where(even.any(1), even.argmax(1), nearest.argmax(1))]
    same_bits(cast(x, name), table[wanted])


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("to", ["float32", "bfloat16", "float16", "float64"])
def test_every_code_widens_exactly(name, to):
    wide = cast(codes(name), to)
    expected = codes(name).astype(np.float64)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wide.astype(np.float64), expected.astype(to).astype(np.float64))


@pytest.mark.parametrize("name", FLOATS)
def test_saturation_keeps_all_in_range_and_leaves_the_rest_alone(name):
    x = every_kind_of(np.float32)
    entry = DTYPES[name]
    got = cast(x, name, saturate=True)
    inside = (x >= np.float64(entry.smallest)) & (x <= np.float64(entry.largest))
    same_bits(got[inside], x[inside].astype(name))
    above, below = x > np.float64(entry.largest), x < np.float64(entry.smallest)
    assert (got[above].astype(np.float64) == min(entry.largest, DTYPES["float32"].largest)).all() and (
        got[below].astype(np.float64) == max(entry.smallest, DTYPES["float32"].smallest)
    ).all()
    with np.errstate(all="ignore"):
        same_bits(got[np.isnan(x)], x[np.isnan(x)].astype(name))


@pytest.mark.parametrize("rounding", ["nearest", "truncate"])
@pytest.mark.parametrize("source", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", INTEGERS)
def test_floats_become_integers_by_the_named_rounding_and_never_leave_the_range(name, source, rounding):
    entry = DTYPES[name]
    with np.errstate(all="ignore"):
        x = np.concatenate([every_kind_of(np.float32)[::7], np.arange(-40, 40, 0.5, np.float32)]).astype(source)
        wide = x.astype(np.float64).tolist()
    rule = round if rounding == "nearest" else int
    ends = {np.inf: entry.largest, -np.inf: entry.smallest}
    expected = [0 if v != v else ends[v] if v in ends else min(max(rule(v), entry.smallest), entry.largest) for v in wide]
    assert cast(x, name, rounding=rounding).tolist() == expected


@pytest.mark.parametrize("name", [*INTEGERS, "float8_e4m3fn", "float8_e5m2", "float16", "float4_e2m1fn"])
@pytest.mark.parametrize("source", INTEGERS)
def test_integers_wrap_or_saturate(name, source):
    given, wanted = DTYPES[source], DTYPES[name]
    x = [v for v in (0, 1, 2, 7, 100, 449, 2**40, given.largest, given.smallest, -1) if given.smallest <= v <= given.largest]
    widest = np.int64 if given.kind == "int" else np.uint64
    x = np.array(x, widest).astype(source)
    with np.errstate(all="ignore"):
        same_bits(cast(x, name), x.astype(widest).astype(name))
    expected = [min(max(v, wanted.smallest), wanted.largest) for v in x.tolist()]
    assert cast(x, name, saturate=True).tolist() == np.array(expected, widest).astype(name).tolist()


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_truth_is_being_other_than_zero(name):
    if name == "float8_e8m0fnu":  # has no zero
        return
    assert cast(np.array([0, 1, 2]).astype(name), "bool").tolist() == [False, True, True]
    assert cast(np.array([False, True]), name).astype(np.float32).tolist() == [0, 1]


@pytest.mark.parametrize("name", JAX_FLOATS)
@pytest.mark.parametrize("saturate", [False, True])
def test_jax_arrays_agree_with_numpy_arrays(name, saturate):
    x = np.concatenate([every_kind_of(np.float32), ties(name) if name in BYTES else np.zeros(1, np.float32)])
    # XLA on the CPU counts subnormal numbers as zero, and a dtype without NaN has no one zero for it.
    x = (
        x[~np.isnan(x) & ((np.abs(x) > 2.0**-126) | (x == 0))]
        if name == "float4_e2m1fn"
        else x[(np.abs(x) > 2.0**-126) | (x == 0)]
    )
    if name == "float8_e8m0fnu":
        x = x[x > 0]
    got = np.asarray(cast(jnp.asarray(x), name, saturate=saturate))
    same_bits(got, cast(x, name, saturate=saturate))


@pytest.mark.parametrize("name", [name for name in INTEGERS if DTYPES[name].bits < 64])
def test_jax_arrays_become_the_same_integers(name):
    x = np.concatenate([every_kind_of(np.float32)[::7], RNG.integers(-40, 40, 500).astype(np.float32) / 2])
    for rounding in ("nearest", "truncate"):
        same_bits(np.asarray(cast(jnp.asarray(x), name, rounding=rounding)), cast(x, name, rounding=rounding))
    whole = RNG.integers(-1000, 1000, 500).astype(np.int32)
    for saturate in (False, True):
        same_bits(np.asarray(cast(jnp.asarray(whole), name, saturate=saturate)), cast(whole, name, saturate=saturate))


def test_a_cast_works_under_jit():
    cast_in = jax.jit(lambda x: cast(x, "int8"))
    assert cast_in(jnp.array([0.5, 200.0, -1.5])).tolist() == [0, 127, -2]


def test_unknown_dtypes_and_those_that_jax_lacks_are_refused():
    with pytest.raises(ConfigError, match="unknown dtype 'float9'"):
        cast(np.zeros(1), "float9")
    with pytest.raises(ConfigError, match=r"unknown dtype 'complex64'"):
        cast(np.zeros(1, np.complex64), "float32")
    with pytest.raises(ConfigError, match="no dtype"):
        dtype_of(3.5)
    for name in ("float6_e2m3fn", "float64", "int64"):
        with pytest.raises(ConfigError, match=f"a JAX array cannot be {name}"):
            cast(jnp.zeros(1), name)
    with jax.enable_x64(True):
        assert cast(jnp.zeros(1), "int64").dtype == np.int64


def test_ml_dtypes_names_are_numpy_names():
    assert dtype_of(ml_dtypes.float8_e4m3fn).name == "float8_e4m3fn"
