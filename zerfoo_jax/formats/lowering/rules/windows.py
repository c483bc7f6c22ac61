"""Extremes and sums of windows that move over an array, and sums and extremes of all elements so far."""

from collections.abc import Callable, Sequence
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.rules.elementwise import where
from zerfoo_jax.formats.lowering.rules.shapes import back, cut, padded, reversed_along
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed, is_one, known, plain

Rule = Callable[..., Any]
Combine = Callable[[Builder, Tensor, Tensor], Tensor]


def _reduce_window(op_type: str) -> Rule:
    """A pool over the axes that have windows, which move behind the others, of which there may be two at most."""

    def rule(b: Builder, eq: Any, x: Tensor) -> Tensor:
        p = eq.params
        if any(step != 1 for step in p["base_dilation"]):
            raise FormatError("windows over an array with gaps are no operator")
        columns = [p[name] for name in ("window_dimensions", "window_strides", "padding", "window_dilation")]
        windows = list(zip(*columns, strict=True))
        spatial = [axis for axis, one in enumerate(windows) if one != (1, 1, (0, 0), 1)] or [x.rank - 1]
        return _pooled(b, op_type, x, spatial, windows, eq.outvars[0].aval)

    return rule


def _pooled(b: Builder, op_type: str, x: Tensor, spatial: list[int], windows: list[Any], aval: Any) -> Tensor:
    order = [*(axis for axis in range(x.rank) if axis not in spatial), *spatial]
    others = [x.shape[i] for i in order[: -len(spatial)]]
    laid = b.plain(x.viewed([x.shape[i] for i in order], order))
    shape = [aval.shape[i] for i in order]
    in_front = others if len(others) == 2 else [1, _product(others)]
    laid = b.reshaped(laid, [*in_front, *laid.shape[len(others) :]])
    taps, strides, pads, dilations = zip(*(windows[axis] for axis in spatial), strict=True)
    attributes = {
        "kernel_shape": taps,
        "strides": strides,
        "dilations": dilations if set(dilations) != {1} else None,
        "pads": (*(low for low, _ in pads), *(high for _, high in pads)),
    }
    pooled_shape = (*in_front, *shape[len(others) :])
    dtype = x.dtype
    wide = b.cast(laid, np.float32 if dtype.itemsize < 4 else np.float64) if dtype.kind in "iu" else laid
    if op_type == "Sum":
        made = b.emit("AveragePool", [wide], pooled_shape, wide.dtype, count_include_pad=1, **attributes)
        made = b.emit("Mul", [made, b.scalar(math.prod(taps), wide.dtype)], pooled_shape, wide.dtype)
    elif op_type == "Min":
        lower = b.emit("Neg", [wide], wide.shape, wide.dtype)
        made = b.emit("MaxPool", [lower], pooled_shape, wide.dtype, **attributes)
        made = b.emit("Neg", [made], pooled_shape, wide.dtype)
    else:
        made = b.emit("MaxPool", [wide], pooled_shape, wide.dtype, **attributes)
    return back(b.reshaped(b.cast(made, dtype), shape), order)


def _product(sizes: Sequence[Any]) -> Any:
    found: Any = 1
    for size in sizes:
        found = size if is_one(found) else found * size
    return found


def _cumsum(b: Builder, eq: Any, x: Tensor) -> Tensor:
    axis, backwards = eq.params["axis"], int(eq.params["reverse"])
    x = b.plain(x)
    wide = b.cast(x, np.int32) if x.dtype.kind in "iub" and x.dtype.itemsize < 4 else x
    return b.cast(b.emit("CumSum", [wide, b.scalar(axis, np.int64)], x.shape, wide.dtype, reverse=backwards), x.dtype)


def _cumulative(combine: Combine, neutral: Callable[[np.dtype], Any]) -> Rule:
    """What `combine` makes of all elements so far: of 2, of 4, of 8, ... of them in turn (Hillis & Steele 1986)."""

    def rule(b: Builder, eq: Any, x: Tensor) -> Tensor:
        axis, size = eq.params["axis"], x.shape[eq.params["axis"]]
        if not is_fixed((size,)):
            raise FormatError(f"{eq.primitive.name} along an axis whose size is not known before the model runs")
        x = b.plain(reversed_along(b, x, [axis]) if eq.params["reverse"] else x)
        nothing = known(np.asarray(neutral(x.dtype), x.dtype))
        step = 1
        while step < size:
            amounts = [(step if i == axis else 0, 0) for i in range(x.rank)]
            before = cut(b, padded(b, x, amounts, nothing), {axis: (0, size, 1)})
            x = combine(b, before, x)
            step *= 2
        return reversed_along(b, x, [axis]) if eq.params["reverse"] else x

    return rule


def _two(op_type: str) -> Combine:
    return lambda b, x, y: b.emit(op_type, [x, y], x.shape, x.dtype)


def _log_add_exp(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """log(exp x + exp y)."""
    high, low = _two("Max")(b, x, y), _two("Min")(b, x, y)
    nothing = b.emit("Equal", [low, b.scalar(-math.inf, x.dtype)], x.shape, bool)
    apart = b.emit("Exp", [_two("Sub")(b, low, high)], x.shape, x.dtype)
    more = b.emit("Log", [b.emit("Add", [apart, b.scalar(1, x.dtype)], x.shape, x.dtype)], x.shape, x.dtype)
    return plain(where(b, nothing, high, _two("Add")(b, high, more)).name, x.shape, x.dtype)


def _lowest(dtype: np.dtype) -> Any:
    return -math.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def _highest(dtype: np.dtype) -> Any:
    return math.inf if dtype.kind not in "iu" else np.iinfo(dtype).max


WINDOWS: dict[str, Rule] = {
    "cumlogsumexp": _cumulative(_log_add_exp, _lowest),
    "cummax": _cumulative(_two("Max"), _lowest),
    "cummin": _cumulative(_two("Min"), _highest),
    "cumprod": _cumulative(_two("Mul"), lambda dtype: 1),
    "cumsum": _cumsum,
    "reduce_window_max": _reduce_window("Max"),
    "reduce_window_min": _reduce_window("Min"),
    "reduce_window_sum": _reduce_window("Sum"),
}
