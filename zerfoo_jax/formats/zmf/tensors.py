"""ZMF's tensors as NumPy arrays, which are views of the file wherever its bytes are those of an array."""

import math
from typing import Any, Literal, cast

import numpy as np

from zerfoo_jax.core.errors import ConfigError, FormatError, brief
from zerfoo_jax.formats.limits import check_shape
from zerfoo_jax.formats.zmf.blocks import BlockKind, pack, packed_bytes, unpacked_values
from zerfoo_jax.formats.zmf.decode import named
from zerfoo_jax.formats.zmf.dtypes import BLOCKS, INT64, STRING, dtype_of, number_of
from zerfoo_jax.formats.zmf.encode import bytes_of, size_of
from zerfoo_jax.formats.zmf.schema import Quantization, Strings, Tensor
from zerfoo_jax.numeric.dtypes import DTYPES
from zerfoo_jax.numeric.quantization import QuantizedArray

LOST = "the tensor has no bytes; ZONNX drops initialisers that ONNX files hold in typed fields"

MISSING = "give the arrays by `missing`, or convert the ONNX file itself"

Quantize = Literal["q4_0", "q8_0"]

MIN_QUANTIZED = 1024
"""Elements of a parameter that is worth quantising."""

Value = np.ndarray | QuantizedArray


def value_of(tensor: Tensor) -> Value:
    """The value of a tensor: an array, or where the file says so codes with their scales. Blocks are dequantised.

    Raises `FormatError` where bytes, shape and dtype do not fit together.
    """
    if tensor.dtype in BLOCKS:
        return _from_blocks(tensor)
    stored = stored_array(tensor)
    return _quantized(stored, tensor.quant) if tensor.quant is not None and tensor.quant.is_value else stored


def array_of(tensor: Tensor) -> np.ndarray:
    """As `value_of`, where that must be an array."""
    value = value_of(tensor)
    if isinstance(value, QuantizedArray):
        raise FormatError("codes with scales, where an array is wanted")
    return value


def stored_array(tensor: Tensor) -> np.ndarray:
    """The array as it is in the file, such as the codes of a quantised tensor. Not for blocks, see `blocks.unpack`."""
    shape, dtype = check_shape(tensor.shape, ""), dtype_of(tensor.dtype, tensor.dtype_name)
    if dtype.kind == "O":
        return _texts(tensor, shape)
    if tensor.strings is not None:
        raise FormatError("a tensor of numbers with texts")
    data, count = bytes_of(tensor.data), math.prod(shape)
    if lost(tensor):
        raise FormatError(LOST, fix=MISSING)
    if len(data) != count * dtype.itemsize:
        if tensor.dtype == INT64 and len(data) in (2 * count, 4 * count):
            return _widened(data, len(data) // count).reshape(shape)
        raise FormatError(
            f"{dtype} of shape {shape} takes {count * dtype.itemsize:,} bytes, got {len(data):,}",
            fix="a tensor that names no dtype is bfloat16" if tensor.dtype == 0 else "",
        )
    array = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype.newbyteorder("<"))
    if dtype.kind == "b" and array.size and array.max() > 1:
        raise FormatError("truth values other than 0 and 1")
    return (array.view(bool) if dtype.kind == "b" else array).reshape(shape)


def _widened(data: memoryview | bytes, size: int) -> np.ndarray:
    """What ZONNX writes under the number of int64 with the bytes as they were: uint32, or int16 or uint16 as long as both mean
    the same."""
    found = np.frombuffer(data, f"<u{size}").astype(np.int64)
    if size == 2 and found.max() >= 2**15:
        raise FormatError("int16 or uint16 under the number of int64, which it is is not said", fix=MISSING)
    return found


def unclear(tensor: Tensor) -> bool:
    """Whether the tensor has two bytes for each element under the number of int64, which ZONNX makes of int16 and uint16."""
    return tensor.dtype == INT64 and 0 < size_of(tensor.data) == 2 * math.prod(tensor.shape)


def lost(tensor: Tensor) -> bool:
    """Whether the tensor should have elements and has no bytes at all."""
    texts = tensor.dtype == STRING and tensor.strings is not None
    return not size_of(tensor.data) and tensor.offset is None and not texts and 0 not in tensor.shape


def _quantized(codes: np.ndarray, quant: Quantization) -> QuantizedArray:
    """The codes with the scales that belong to them."""
    scale = named(array_of, "quant/scales", quant.scales or Tensor())
    zero = None if quant.zero_points is None else named(array_of, "quant/zero_points", quant.zero_points)
    block = None if quant.axis is None else (quant.axis, quant.block)
    if block is not None and not (0 <= block[0] < codes.ndim and block[1] > 0):
        raise FormatError(f"blocks of {block[1]} along axis {block[0]} of {codes.ndim}", place="quant")
    if _kind(codes) not in ("int", "uint", "float") or _kind(scale) != "float" or not np.isfinite(scale).all():
        raise FormatError(f"codes of {codes.dtype} with scales of {scale.dtype}, or scales that are not finite", place="quant")
    if zero is not None and (zero.shape != scale.shape or _kind(zero) not in ("int", "uint", "float")):
        raise FormatError(f"zero points {zero.dtype} {zero.shape} for scales {scale.shape}", place="quant")
    fitting = [{1, size} for size in codes.shape]
    if block is not None:
        fitting[block[0]] = {-(-codes.shape[block[0]] // block[1])}
    if scale.ndim != codes.ndim or any(size not in sizes for size, sizes in zip(scale.shape, fitting, strict=True)):
        raise FormatError(f"scales of shape {scale.shape} for codes of shape {codes.shape}", place="quant")
    return QuantizedArray(codes, scale, zero, block)


def _kind(array: np.ndarray) -> str:
    return DTYPES[array.dtype.name].kind if array.dtype.name in DTYPES else "other"


def _from_blocks(tensor: Tensor) -> np.ndarray:
    kind, shape = cast(BlockKind, BLOCKS[tensor.dtype]), check_shape(tensor.shape, "")
    data, count = bytes_of(tensor.data), math.prod(shape)
    if len(data) != packed_bytes(kind, count):
        raise FormatError(f"{kind} of shape {shape} takes {packed_bytes(kind, count):,} bytes, got {len(data):,}")
    return unpacked_values(kind, memoryview(data), count).reshape(shape)


def _texts(tensor: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    texts = list(tensor.strings.val) if tensor.strings is not None else []
    if lost(tensor):
        raise FormatError(LOST)
    if size_of(tensor.data) or len(texts) != math.prod(shape):
        raise FormatError(f"a tensor of texts of shape {shape} with {len(texts)} texts")
    found = np.empty(len(texts), object)
    found[:] = texts
    return found.reshape(shape)


def tensor_of(value: Any) -> Tensor:
    """The tensor of a value, whose arrays it holds uncopied; `ConfigError` for what ZMF has no dtype for."""
    if isinstance(value, QuantizedArray):
        return _of_quantized(value)
    try:
        array = np.asarray(value)
    except TypeError as error:
        raise ConfigError(f"{brief(value)} is no array that can be written") from error
    number, name = number_of(array.dtype)
    if number == STRING:
        return Tensor(dtype=number, shape=array.shape, strings=Strings(val=list(map(str, array.reshape(-1)))))
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return Tensor(dtype=number, dtype_name=name, shape=array.shape, data=little)


def _of_quantized(value: QuantizedArray) -> Tensor:
    tensor, scales = tensor_of(value.codes), tensor_of(value.scale)
    zeros = None if value.zero_point is None else tensor_of(value.zero_point)
    axis, block = value.block or (None, 0)
    tensor.quant = Quantization(scales=scales, zero_points=zeros, axis=axis, block=block, is_value=True)
    if np.size(value.scale) == 1:  # what the original's reader knows too
        tensor.quant.scale = float(np.asarray(value.scale).item())
        tensor.quant.zero_point = 0 if value.zero_point is None else int(np.asarray(value.zero_point).item())
    try:
        value_of(tensor)
    except FormatError as error:
        raise ConfigError(error.problems) from None
    return tensor


def parameter_tensor(name: str, value: Any, quantize: Quantize | None) -> Tensor:
    """The tensor of a parameter, in blocks if that is asked for and it is one that the original's converter quantises.

    Raises `ConfigError` for numbers that are not finite, which blocks have no place for.
    """
    if quantize is None or isinstance(value, QuantizedArray):
        return tensor_of(value)
    array, plain = np.asarray(value), name.lower()
    large = array.ndim >= 2 and array.size >= MIN_QUANTIZED and array.dtype == np.float32
    if not large or "norm" in plain or "embed" in plain or plain.endswith("bias"):
        return tensor_of(array)
    if not np.isfinite(array).all():
        raise ConfigError(f"{quantize} has no place for NaN and infinity", place=name)
    kind: BlockKind = "Q4_0" if quantize == "q4_0" else "Q8_0"
    number = next(number for number, block in BLOCKS.items() if block == kind)
    return Tensor(dtype=number, shape=array.shape, data=pack(kind, array))
