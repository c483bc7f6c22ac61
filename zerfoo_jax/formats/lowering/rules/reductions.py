"""Sums, products, extremes and their places along axes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.tensor import Tensor

Rule = Callable[..., Any]


def _reduction(op_type: str) -> Rule:
    def rule(b: Builder, eq: Any, x: Tensor) -> Tensor:
        return reduced(b, op_type, x, eq.params["axes"])

    return rule


def reduced(b: Builder, op_type: str, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The array without some axes. It keeps them in store, with one element, where they cost nothing to put back."""
    if not axes:
        return x
    dtype = x.dtype
    if dtype.kind in "iu" and dtype.itemsize < 4:
        x = b.cast(x, np.int32)
    if any(x.axes[axis] is None for axis in axes):
        x = b.plain(x)
    gone = {x.axes[axis] for axis in axes}
    made = b.emit(
        op_type, [x, b.ints(*sorted(axis for axis in gone if axis is not None))], _without(x, gone), x.dtype, keepdims=1
    )
    return b.cast(_kept(made, x, axes), dtype)


def _without(x: Tensor, gone: set[int | None]) -> tuple[Any, ...]:
    return tuple(1 if axis in gone else size for axis, size in enumerate(x.stored))


def _kept(made: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    kept = [axis for axis in range(x.rank) if axis not in axes]
    shape, places = tuple(x.shape[axis] for axis in kept), tuple(x.axes[axis] for axis in kept)
    return Tensor(made.name, shape, made.dtype, made.stored, places)


def _logical(op_type: str) -> Rule:
    """Whether all hold (their minimum) or any (their maximum)."""

    def rule(b: Builder, eq: Any, x: Tensor) -> Tensor:
        return b.cast(reduced(b, op_type, b.cast(x, np.int32), eq.params["axes"]), x.dtype)

    return rule


def _place(op_type: str) -> Rule:
    """The place of the extreme along an axis, the first of equals."""

    def rule(b: Builder, eq: Any, x: Tensor) -> Tensor:
        (axis,) = eq.params["axes"]
        if x.axes[axis] is None:
            x = b.plain(x)
        wide = b.cast(x, np.int32) if x.dtype == bool else x
        place = x.axes[axis]
        made = b.emit(op_type, [wide], _without(x, {place}), np.int64, axis=place, keepdims=1)
        return b.cast(_kept(made, x, (axis,)), eq.params["index_dtype"])

    return rule


REDUCTIONS: dict[str, Rule] = {
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "reduce_and": _logical("ReduceMin"),
    "reduce_max": _reduction("ReduceMax"),
    "reduce_min": _reduction("ReduceMin"),
    "reduce_or": _logical("ReduceMax"),
    "reduce_prod": _reduction("ReduceProd"),
    "reduce_sum": _reduction("ReduceSum"),
}
