"""From one dtype to another: by value, and by the bits."""

from typing import Any

from jax import lax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.formats.operators.arrays import held, is_text
from zerfoo_jax.formats.operators.data_types import dtype_of
from zerfoo_jax.formats.operators.known import expect_known
from zerfoo_jax.numeric.dtypes import cast
from zerfoo_jax.numeric.dtypes import dtype_of as entry_of


def Cast(input: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    """The input in the dtype with the number `to`.

    Floats become integers by cutting off; to a float of 8 bits, values beyond its range become its largest ones, or NaN and
    infinity without `saturate`. `round_mode` (up, down, nearest) is for float8_e8m0fnu, whose numbers are powers of two.
    """
    return _cast(input, dtype_of(to), saturate, round_mode)


def CastLike(input: Any, target_type: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    """The input in the dtype of the second input."""
    return _cast(input, target_type.dtype, saturate, round_mode)


def BitCast(input: Any, *, to: int) -> Any:
    """The bits of the input read as another dtype of the same width; raises `FormatError` for complex numbers and texts."""
    x, dtype = jnp.asarray(input), held(dtype_of(to))
    if dtype.kind in "cO" or x.dtype.kind == "c":
        raise FormatError(f"BitCast from {x.dtype.name} to {dtype.name} is not supported")
    x = x.astype(np.uint8) if x.dtype == np.bool_ else x
    plain = np.dtype(np.uint8) if dtype == np.bool_ else dtype
    if entry_of(plain).bits != entry_of(x.dtype).bits:
        raise FormatError(f"BitCast from {x.dtype.name} to {dtype.name}, which is not as wide")
    bits = lax.bitcast_convert_type(x, plain)
    return bits != 0 if dtype == np.bool_ else bits


def _cast(x: Any, dtype: np.dtype[Any], saturate: int, round_mode: str) -> Any:
    if is_text(x):
        return x if dtype.kind in "OSU" else _from_text(x, dtype)
    if dtype.kind in "OSU":
        return np.asarray(expect_known(x, "Cast", "input")).astype(np.str_).astype(object)
    dtype = held(dtype)
    if "c" in (dtype.kind, x.dtype.kind):
        return x.astype(dtype)
    if dtype == ml_dtypes.float8_e8m0fnu:
        return _to_powers_of_two(cast(x, np.float32), bool(saturate), round_mode)
    if dtype.name in ("int4", "uint4", "int2", "uint2"):
        # What the specification leaves open beyond the range, its own tests decide: the low bits.
        x = cast(x, np.int32, rounding="truncate")
    return cast(x, dtype, saturate=bool(saturate) and dtype.name.startswith("float8"), rounding="truncate")


def _from_text(texts: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """The numbers that texts spell, in plain or scientific notation."""
    try:
        numbers = [float(text) if dtype.kind not in "iu" else _integer(text) for text in texts.reshape(-1)]
    except (ValueError, OverflowError):
        raise FormatError(f"texts that are no {dtype.name}: {brief(texts.reshape(-1).tolist())}") from None
    return np.array(numbers, np.int64 if dtype.kind in "iu" else np.float64).reshape(texts.shape).astype(dtype)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def _to_powers_of_two(x: Any, saturate: bool, round_mode: str) -> Any:
    """float8_e8m0fnu is the exponent of a float32, which is rounded up, down, or to the nearest where ties go up."""
    bits = lax.bitcast_convert_type(jnp.asarray(x), jnp.uint32)
    exponent, fraction = (bits >> 23) & 0xFF, bits & 0x7FFFFF
    if round_mode == "up":
        up = fraction > 0
    elif round_mode == "nearest":
        up = (fraction > 0x400000) | ((fraction == 0x400000) & (exponent > 0))
    elif round_mode == "down":
        up = jnp.zeros(fraction.shape, bool)
    else:
        raise FormatError(f"Cast rounds up, down or nearest, not {round_mode!r}")
    last = 0xFE if saturate else 0xFF
    rounded = jnp.where(exponent == 0xFF, exponent, jnp.minimum(exponent + up.astype(jnp.uint32), last))
    return lax.bitcast_convert_type(rounded.astype(jnp.uint8), ml_dtypes.float8_e8m0fnu)
