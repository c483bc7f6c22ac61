"""Arrays in another numeric type, with what turns them back: any of float64 to 4-bit floats and integers to any other.

A tensor keeps its values where the type can hold them; otherwise it holds codes, and its values are scale · code + offset::

    to float16 and wider    codes are the values; where the largest exceeds the range, scale = largest / range
    to 8 and 4 bits floats  scale = largest / range, so that the whole range is used
    to integers             codes are the values where all are integers within the range, and the values less an offset where
                            they are integers that span no more than the range; else
                            int: scale = largest / range;  uint: offset = min(0, smallest), scale = (largest - offset) / range

There is one scale for a whole tensor, in the file's metadata under `zerfoo.scale/` and the tensor's name, so that the tensors
stay as many and as they are called. Values come back within half a scale, and exactly where codes are values.
"""

from collections.abc import Mapping
import json
import math
from typing import Any, NamedTuple

import numpy as np

from zerfoo_jax.config.strict_json import parse
from zerfoo_jax.core.errors import ConfigError, FormatError, brief
from zerfoo_jax.formats.safetensors.loom import Compatibility, encode_f4
from zerfoo_jax.numeric.dtypes import DTYPES, Dtype, cast, dtype_of

SCALE = "zerfoo.scale/"
"""In front of a tensor's name, the metadata's key for what turns its codes into values."""

_MODULUS = 2**64
_SMALLEST_SCALE = float(np.finfo(np.float64).tiny)


class Coded(NamedTuple):
    """Codes, and what turns them into values."""

    codes: np.ndarray
    scale: float = 1.0
    offset: float = 0


def convert_tensors(
    tensors: Mapping[str, Any], dtype: str, *, compatibility: Compatibility | None = None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays in another type, and the metadata from which `restore_tensors` makes them what they were.

    Booleans and complex numbers stay as they are. With `compatibility="loom"` the values are written as LOOM's first generation
    does: without a scale, integers cut off towards 0, 4-bit floats in its own codes (see `loom`). Raises `FormatError` for NaN
    and infinities where the type has none, `ConfigError` for an unknown type.

    >>> codes, metadata = convert_tensors({"kernel": np.array([0.5, -1.27], np.float32)}, "int8")
    >>> codes["kernel"].tolist(), restore_tensors(codes, metadata)["kernel"].round(2).tolist()
    ([50, -127], [0.5, -1.2699999809265137])
    """
    wanted = dtype_of(dtype)
    codes, metadata = {}, {}
    for name, array in tensors.items():
        values = np.asarray(array)
        if values.dtype == wanted.numpy or values.dtype.name not in DTYPES or values.dtype == np.bool_:
            codes[name] = values
        elif compatibility:
            codes[name] = encode_f4(values) if dtype == "float4_e2m1fn" else cast(values, dtype, rounding="truncate")
        else:
            coded = _coded(values, wanted, f"tensor {name!r}")
            told = {"dtype": values.dtype.name, "scale": coded.scale, "offset": coded.offset}
            codes[name], metadata[SCALE + name] = coded.codes, json.dumps(told)
    return codes, metadata


def restore_tensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Mapping[str, np.ndarray]:
    """The arrays with their first values and types, where the metadata tell of them; others stay as they are.

    Raises `FormatError` for metadata that `convert_tensors` does not write.
    """
    told = {key.removeprefix(SCALE): text for key, text in metadata.items() if key.startswith(SCALE)}
    if not told:
        return tensors
    for name in told.keys() - tensors.keys():
        raise FormatError("the metadata tell of a tensor that is not there", place=f"{SCALE}{name}")
    return {name: _restored(array, told[name], SCALE + name) if name in told else array for name, array in tensors.items()}


def _coded(values: np.ndarray, wanted: Dtype, place: str) -> Coded:
    given = dtype_of(values.dtype)
    if not values.size:
        return Coded(values.astype(wanted.numpy))
    if given.kind != "float" and wanted.kind != "float":
        return _integers(values, given, wanted)
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    if not finite.all() and (wanted.kind != "float" or wanted.bits <= 8):
        raise FormatError(f"NaN or infinity, which cannot become {wanted.name}", place=place, fix="use float16 or wider")
    if wanted.kind != "float":
        whole = bool((wide == np.rint(wide)).all()) and wanted.smallest <= wide.min() and wide.max() < wanted.largest
        return Coded(cast(wide, wanted.name)) if whole else _scaled(wide, wanted)
    largest = float(np.abs(wide[finite]).max(initial=0))
    if not largest or (wanted.bits > 8 and largest <= wanted.largest):
        return Coded(cast(values, wanted.name))
    scale = max(largest / wanted.largest, _SMALLEST_SCALE)
    return Coded(cast(wide / scale, wanted.name, saturate=wanted.bits <= 8), scale)


def _integers(values: np.ndarray, given: Dtype, wanted: Dtype) -> Coded:
    lowest, highest = int(values.min()), int(values.max())
    if wanted.smallest <= lowest and highest <= wanted.largest:
        return Coded(cast(values, wanted.name))
    if highest - lowest > wanted.largest - wanted.smallest:
        return _scaled(values.astype(np.float64), wanted)
    offset = lowest - int(wanted.smallest)
    return Coded(_shifted(values, -offset, wanted), 1.0, offset)


def _shifted(values: np.ndarray, by: int, wanted: Dtype) -> np.ndarray:
    """Integers plus a number, exactly: where 64 bits overflow they wrap round, and back when the sum fits `wanted`."""
    moved = cast(cast(values, "int64" if dtype_of(values.dtype).kind == "int" else "uint64"), "uint64") + np.uint64(
        by % _MODULUS
    )
    return cast(moved, wanted.name)


def _scaled(wide: np.ndarray, wanted: Dtype) -> Coded:
    lowest, highest = float(wide.min()), float(wide.max())
    offset = 0.0 if wanted.kind == "int" else min(0.0, lowest)
    range_ = float(wanted.largest)
    scale = max(abs(lowest), abs(highest)) / range_ if wanted.kind == "int" else highest / range_ - offset / range_
    scale = max(scale, _SMALLEST_SCALE)
    return Coded(cast(wide / scale - offset / scale, wanted.name), scale, offset)


def _restored(codes: np.ndarray, text: str, place: str) -> np.ndarray:
    wanted, scale, offset = _told(text, place)
    if scale == 1 and offset == 0:
        return cast(codes, wanted.name)
    if scale == 1 and isinstance(offset, int) and wanted.kind != "float" and dtype_of(codes.dtype).kind != "float":
        return _shifted(codes, offset, wanted)
    return cast(codes.astype(np.float64) * scale + offset, wanted.name, saturate=True)


def _told(text: str, place: str) -> tuple[Dtype, float, float]:
    try:
        told = parse(text, place)
    except ConfigError as error:
        raise FormatError(error.problems) from error
    if not isinstance(told, dict) or told.keys() != {"dtype", "scale", "offset"}:
        raise FormatError("a conversion has dtype, scale and offset", place=place)
    dtype, scale, offset = told["dtype"], told["scale"], told["offset"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FormatError(f"unknown dtype {brief(dtype)}", place=place)
    if type(scale) not in (int, float) or type(offset) not in (int, float) or not 0 < scale < math.inf:
        raise FormatError(f"scale and offset are numbers, got {brief(scale)} and {brief(offset)}", place=place)
    return DTYPES[dtype], scale, offset
