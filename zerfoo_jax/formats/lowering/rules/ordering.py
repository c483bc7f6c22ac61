"""Sorting, and the largest elements."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed

Rule = Callable[..., Any]


def _sort(b: Builder, eq: Any, *xs: Tensor) -> list[Tensor]:
    """Arrays in the order of the first of them, that of the second among equals and so on: by the last key first, and equals
    stay as they are."""
    axis = eq.params["dimension"]
    arrays = [b.plain(x) for x in xs]
    size = b.size(arrays[0].shape[axis]) if not is_fixed((arrays[0].shape[axis],)) else b.ints(arrays[0].shape[axis])
    for key in reversed(range(eq.params["num_keys"])):
        ordered, places = _top(b, arrays[key], size, axis, largest=0)
        arrays = [
            ordered if i == key else b.emit("GatherElements", [x, places], x.shape, x.dtype, axis=axis)
            for i, x in enumerate(arrays)
        ]
    return arrays


def _top_k(b: Builder, eq: Any, x: Tensor) -> list[Tensor]:
    axis = eq.params.get("axis", eq.params.get("operand_axis", x.rank - 1))
    k = eq.params["k"]
    if not is_fixed((k,)):
        raise FormatError("top_k needs a number that is known before the model runs")
    values, places = _top(b, b.plain(x), b.ints(k), axis, largest=1, count=k)
    return [values, b.cast(places, eq.outvars[1].aval.dtype)]


def _top(b: Builder, x: Tensor, size: Tensor, axis: int, *, largest: int, count: Any = None) -> Sequence[Tensor]:
    """Sorted values and their places; of equals the first comes first."""
    dtype = x.dtype
    if dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize < 4):
        x = b.cast(x, np.int32)
    shape = (*x.shape[:axis], x.shape[axis] if count is None else count, *x.shape[axis + 1 :])
    outputs = [(shape, x.dtype), (shape, np.int64)]
    values, places = b.emit_many("TopK", [x, size], outputs, axis=axis, largest=largest, sorted=1)
    return b.cast(values, dtype), places


ORDERING: dict[str, Rule] = {"sort": _sort, "top_k": _top_k}
