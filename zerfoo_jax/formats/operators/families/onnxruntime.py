"""Operators of onnxruntime's own domain, which its quantiser writes for types that ONNX's had in later versions only."""

from typing import Any

from zerfoo_jax.formats.operators.families import quantization
from zerfoo_jax.formats.operators.known import Buffer

DOMAIN = "com.microsoft"


def QuantizeLinear(x: Any, y_scale: Buffer, y_zero_point: Buffer | None = None, *, axis: int = 1, block_size: int = 0) -> Any:
    """As ONNX's."""
    return quantization.QuantizeLinear(x, y_scale, y_zero_point, axis=axis, block_size=block_size)


def DequantizeLinear(x: Any, x_scale: Buffer, x_zero_point: Buffer | None = None, *, axis: int = 1, block_size: int = 0) -> Any:
    """As ONNX's."""
    return quantization.DequantizeLinear(x, x_scale, x_zero_point, axis=axis, block_size=block_size)
