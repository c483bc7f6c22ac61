"""Convolutions, whose operators have the channels in front of the spatial axes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.rules.shapes import back, cut, reversed_along, spread
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed

Rule = Callable[..., Any]
Pairs = Sequence[tuple[int, int]]


def _conv_general_dilated(b: Builder, eq: Any, x: Tensor, kernel: Tensor) -> Tensor:
    p, aval = eq.params, eq.outvars[0].aval
    if p["batch_group_count"] != 1:
        raise FormatError("a convolution in groups of the batch, as gradients have them, is no operator")
    lhs, rhs, out = p["dimension_numbers"]
    x = b.plain(x.viewed([x.shape[i] for i in lhs], lhs))
    kernel = kernel.viewed([kernel.shape[i] for i in rhs], rhs)
    shape = tuple(aval.shape[i] for i in out)
    dtype = np.dtype(aval.dtype)
    if any(step != 1 for step in p["lhs_dilation"]):
        return back(_transposed(b, p, x, kernel, shape, dtype), out)
    return back(_convolved(b, p, x, p["padding"], kernel, shape, dtype), out)


def _convolved(b: Builder, p: Any, x: Tensor, padding: Pairs, kernel: Tensor, shape: Any, dtype: np.dtype) -> Tensor:
    """A Conv; amounts of padding below zero cut off first."""
    spans = {
        axis + 2: (max(-low, 0), x.shape[axis + 2] - max(-high, 0), 1)
        for axis, (low, high) in enumerate(padding)
        if low < 0 or high < 0
    }
    x = b.plain(cut(b, x, spans))
    kernel = b.plain(kernel)
    attributes = {
        "strides": tuple(p["window_strides"]),
        "dilations": tuple(p["rhs_dilation"]),
        "pads": (*(max(low, 0) for low, _ in padding), *(max(high, 0) for _, high in padding)),
        "group": p["feature_group_count"],
        "kernel_shape": tuple(map(int, kernel.shape[2:])),
    }
    if x.rank == 2:  # no spatial axes
        raise FormatError("a convolution without spatial axes is no operator")
    if {x.dtype.name, kernel.dtype.name} <= {"int8", "uint8"} and dtype == np.int32:
        return b.emit("ConvInteger", [x, kernel], shape, dtype, **attributes)
    wide = np.dtype(np.float64) if dtype.kind in "iu" else dtype  # operators convolve no integers
    return b.cast(b.emit("Conv", [b.cast(x, wide), b.cast(kernel, wide)], shape, wide, **attributes), dtype)


def _transposed(b: Builder, p: Any, x: Tensor, kernel: Tensor, shape: Any, dtype: np.dtype) -> Tensor:
    """A convolution of an input with zeros between its elements: a ConvTranspose where it is one."""
    taps = [(size - 1) * step for size, step in zip(kernel.shape[2:], p["rhs_dilation"], strict=True)]
    pads = [(tap - low, tap - high) for tap, (low, high) in zip(taps, p["padding"], strict=True)]
    more = [max(-high, 0) for _, high in pads]  # values behind those that the input reaches
    has_word = all(extra < step and low >= 0 for extra, step, (low, _) in zip(more, p["lhs_dilation"], pads, strict=True))
    if set(p["window_strides"]) != {1} or not has_word or not is_fixed(kernel.shape):
        for axis, step in enumerate(p["lhs_dilation"]):
            x = spread(b, x, axis + 2, step, b.scalar(0, x.dtype)) if step != 1 else x
        return _convolved(b, p, b.plain(x), p["padding"], kernel, shape, dtype)
    return b.emit(
        "ConvTranspose",
        [b.cast(x, dtype), b.cast(_turned(b, kernel, p["feature_group_count"]), dtype)],
        shape,
        dtype,
        strides=tuple(p["lhs_dilation"]),
        dilations=tuple(p["rhs_dilation"]),
        pads=(*(low for low, _ in pads), *(max(high, 0) for _, high in pads)),
        output_padding=tuple(more) if any(more) else None,
        group=p["feature_group_count"],
        kernel_shape=tuple(map(int, kernel.shape[2:])),
    )


def _turned(b: Builder, kernel: Tensor, groups: int) -> Tensor:
    """The kernel (out, in / groups, *taps) as (in, out / groups, *taps), its taps in the opposite order."""
    features, per_group, *taps = kernel.shape
    kernel = reversed_along(b, kernel, range(2, kernel.rank))
    if groups == 1:
        order = (1, 0, *range(2, kernel.rank))
        return b.plain(kernel.viewed([kernel.shape[i] for i in order], order))
    parts = b.reshaped(kernel, (groups, features // groups, per_group, *taps))
    order = (0, 2, 1, *range(3, parts.rank))
    swapped = b.plain(parts.viewed([parts.shape[i] for i in order], order))
    return b.reshaped(swapped, (groups * per_group, features // groups, *taps))


CONVOLUTIONS: dict[str, Rule] = {"conv_general_dilated": _conv_general_dilated}
