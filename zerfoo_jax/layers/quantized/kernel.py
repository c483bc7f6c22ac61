"""A kernel in codes, which layers take in the place of an array."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import math
from typing import Any, Literal

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.forms import are_for_cpu
from zerfoo_jax.core.types import Array
from zerfoo_jax.layers.quantized.products import (
    high_nibbles,
    in_blocks,
    integer_product,
    less,
    low_nibbles,
    rows_of_a_block,
)
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.dtypes import dtype_of
from zerfoo_jax.numeric.quantization import affine, code_range, decode, encode, spread, unpack_nibbles

Activations = Literal["float", "dynamic", "static"]
"""Whether inputs stay floats, get codes by their own range at each call, or by the range that calibration found."""

EXACT = 2**24
"""Whole numbers up to here are exact in float32."""

_DATA = ("codes", "scale", "zero_point", "input_scale", "input_zero_point")


class Kernel:
    """What layers take in the place of an array, and ask for what they would have done with it."""

    def product(self, x: Array) -> Array:
        """x K over the last axis, of a kernel (in, out)."""
        raise NotImplementedError

    def convolved(self, x: Array, convolve: Callable[[Array, Array], Array], groups: int) -> Array:
        """What `convolve` makes of x and the kernel, in so many groups."""
        raise NotImplementedError


@partial(jax.tree_util.register_dataclass, data_fields=_DATA, meta_fields=("to", "activations", "block"))
@dataclass(frozen=True)
class QuantizedKernel(Kernel):
    """Codes (*taps, in, out) of dtype `to`, with a scale for each output or, with `block`, for each `block` inputs of it.

    int4 is packed, two inputs to a byte. `input_scale` and `input_zero_point` are those of static activations.

    >>> QuantizedKernel(jnp.int8([[3], [4]]), jnp.array([[0.5]])).product(jnp.ones((1, 2))).tolist()
    [[3.5]]
    """

    codes: Array
    scale: Array
    zero_point: Array | None = None
    input_scale: Array | None = None
    input_zero_point: Array | None = None
    to: str = "int8"
    activations: Activations = "float"
    block: int | None = None

    def decoded(self) -> Array:
        """The kernel as an array."""
        block = (0, self.block) if self.block else None
        codes = self._unpacked(self.codes)
        return decode(codes, *(spread(part, codes.shape, block) for part in (self.scale, self.zero_point)))

    def product(self, x: Array) -> Array:
        """x K over the last axis."""
        if self.activations == "float" and not are_for_cpu():
            return jnp.matmul(x, self.decoded().astype(x.dtype))
        rows = widened(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])
        if self.activations == "float":
            y = self._decoded_product(rows)
        else:
            codes, scale, zero_point = self._encoded(rows, axes=(1,))
            multiply = self._float_product if dtype_of(self.to).kind == "float" else self._integer_product
            y = multiply(codes, zero_point).astype(scale.dtype) * scale * self.scale.astype(scale.dtype)
        return y.reshape(*x.shape[:-1], y.shape[-1]).astype(x.dtype)

    def convolved(self, x: Array, convolve: Callable[[Array, Array], Array], groups: int) -> Array:
        """The convolution of x; where integers would not be exact, or are no integers, with the kernel decoded."""
        inside = math.prod(self.codes.shape[:-2])
        largest = code_range(dtype_of(self.to)) ** 2 if self.activations != "float" else EXACT
        channels = min((EXACT - 1) // (largest * inside), self.codes.shape[-2])
        if channels == 0 or (groups > 1 and channels < self.codes.shape[-2]):
            return convolve(x, self.decoded().astype(x.dtype))
        codes, scale, zero_point = self._encoded(widened(x), axes=tuple(range(1, x.ndim)))
        signal, kernel = less(codes, zero_point), less(self.codes, self.zero_point)
        starts = range(0, self.codes.shape[-2], channels) if groups == 1 else (0,)
        parts = [
            convolve(signal[..., i : i + channels] if groups == 1 else signal, kernel[..., i : i + channels, :]) for i in starts
        ]
        y = sum((jnp.rint(part).astype(jnp.int32) for part in parts[1:]), jnp.rint(parts[0]).astype(jnp.int32))
        own = self.scale.reshape((1,) * (x.ndim - 1) + (-1,))
        return (y.astype(scale.dtype) * scale * own.astype(scale.dtype)).astype(x.dtype)

    def rows_of(self, ids: Array) -> Array:
        """The rows of those numbers, NaN for numbers that no row has."""
        scale = jnp.asarray(self.scale).at[ids].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
        codes = jnp.take(self.codes, ids, axis=0, mode="clip")
        zero_point = None if self.zero_point is None else jnp.take(self.zero_point, ids, axis=0, mode="clip")
        return decode(codes, scale, zero_point)

    def _unpacked(self, codes: Array) -> Array:
        return unpack_nibbles(codes, 2 * codes.shape[0], self.to) if self.to == "int4" else codes

    def _encoded(self, x: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array | None]:
        """Codes of inputs with their scales and zero points; dynamic ones are each example's own along `axes`."""
        if self.activations == "dynamic":
            low, high = (end(axis=axes, keepdims=True, initial=0) for end in (x.min, x.max))
            scale, zero_point = affine(low, high, self.to, symmetric=self.to != "uint8")
        else:
            assert self.input_scale is not None
            shape = (1,) * x.ndim
            scale = self.input_scale.astype(x.dtype).reshape(shape)
            zero_point = None if self.input_zero_point is None else self.input_zero_point.reshape(shape)
        return encode(x, scale, zero_point, self.to), scale, zero_point

    def _integer_product(self, codes: Array, zero_point: Array | None) -> Array:
        return integer_product(codes, self.codes, zero_point, self.zero_point)

    def _float_product(self, codes: Array, zero_point: Array | None) -> Array:
        del zero_point
        if are_for_cpu():
            rows = rows_of_a_block(self.codes.shape[-1])
            return in_blocks(less(codes, None), ((self.codes, 1),), partial(less, zero_point=None), rows, jnp.float32)
        # A device without such products gets them from its compiler by way of a wider dtype.
        return lax.dot_general(codes, self.codes, (((1,), (0,)), ((), ())), preferred_element_type=jnp.float32)

    def _decoded_product(self, x: Array) -> Array:
        if self.to != "int4":
            y = self._decoded_in_blocks(x, self.block or 0, lambda codes: codes)
        else:
            halves = ((x[:, 0::2], low_nibbles), (x[:, 1::2], high_nibbles))
            y = sum(self._decoded_in_blocks(part, (self.block or 0) // 2, unpack) for part, unpack in halves)
        return jnp.asarray(y if self.block else y * self.scale.astype(x.dtype))

    def _decoded_in_blocks(self, x: Array, per: int, unpack: Callable[[Array], Array]) -> Array:
        """x K, less the scale where it is that of a whole column."""

        def values(codes: Array, scale: Array, zero_point: Array | None) -> Array:
            codes = unpack(codes)
            if not per:
                return less(codes, zero_point).astype(x.dtype)
            block = (0, per)
            return decode(codes, *(spread(part, codes.shape, block) for part in (scale, zero_point))).astype(x.dtype)

        pieces = ((self.codes, 1), (self.scale, per), (self.zero_point, per))
        rows = rows_of_a_block(self.codes.shape[-1])
        return in_blocks(x, pieces, values, per * max(1, rows // per) if per else rows, x.dtype)


@partial(jax.tree_util.register_dataclass, data_fields=("kernel", "index"), meta_fields=("note",))
@dataclass(frozen=True)
class WatchedKernel(Kernel):
    """An array with `note`, which is told of all that reaches it: of `index`, where it stands along leading axes, and of x."""

    kernel: Array
    index: Any
    note: Callable[[tuple[int, ...], Array], None]

    def product(self, x: Array) -> Array:
        """x K over the last axis, once `note` knows of x."""
        """x K, after x has been noted."""
        self._note(x)
        return jnp.matmul(x, self.kernel)

    def convolved(self, x: Array, convolve: Callable[[Array, Array], Array], groups: int) -> Array:
        """What `convolve` makes of x and the kernel, after x has been noted."""
        del groups
        self._note(x)
        return convolve(x, self.kernel)

    def _note(self, x: Array) -> None:
        self.note(tuple(int(i) for i in self.index), x)
