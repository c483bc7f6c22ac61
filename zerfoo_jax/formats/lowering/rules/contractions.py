"""Products of matrices and of whatever is like them."""

from collections.abc import Callable, Sequence
import math
from typing import Any

import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.tensor import Dims, Tensor, is_fixed

Rule = Callable[..., Any]


def _dot_general(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    """Both as stacks of matrices, (batch, rows, contracted) and (batch, contracted, columns), for a MatMul."""
    (x_axes, y_axes), (x_batch, y_batch) = eq.params["dimension_numbers"]
    aval = eq.outvars[0].aval
    rows = [axis for axis in range(x.rank) if axis not in (*x_axes, *x_batch)]
    columns = [axis for axis in range(y.rank) if axis not in (*y_axes, *y_batch)]
    batch, left, right = ([t.shape[i] for i in places] for t, places in ((x, x_batch), (x, rows), (y, columns)))
    inner = [x.shape[i] for i in x_axes]

    x = _ordered(b, x, [*x_batch, *rows, *x_axes])
    y = _ordered(b, y, [*y_batch, *y_axes, *columns])
    many = len(rows) > 1 and not batch and len(columns) == 1  # which MatMul takes as they are
    x = _grouped(b, x, [batch, left if many else [_size(left)], [_size(inner)]])
    y = _grouped(b, y, [batch, [_size(inner)], [_size(right)]])
    made = _product(b, x, y, (*batch, *(left if many else [_size(left)]), _size(right)), np.dtype(aval.dtype))
    return b.reshaped(made, aval.shape)


def _ordered(b: Builder, x: Tensor, order: Sequence[int]) -> Tensor:
    return b.plain(x.viewed([x.shape[i] for i in order], order))


def _grouped(b: Builder, x: Tensor, groups: Sequence[Sequence[Any]]) -> Tensor:
    """Axes of one group after the other."""
    return b.reshaped(x, [size for group in groups for size in group])


def _size(sizes: Sequence[Any]) -> Any:
    return math.prod(sizes) if is_fixed(sizes) else _symbolic_product(sizes)


def _symbolic_product(sizes: Sequence[Any]) -> Any:
    found = sizes[0]
    for size in sizes[1:]:
        found = found * size
    return found


def _product(b: Builder, x: Tensor, y: Tensor, shape: Dims, dtype: np.dtype) -> Tensor:
    """A MatMul in the dtype of the result, of bytes in integers of 32 bits."""
    if {x.dtype.name, y.dtype.name} <= {"int8", "uint8"} and dtype == np.int32:
        return b.emit("MatMulInteger", [x, y], shape, dtype)
    wide = np.dtype(np.int32) if dtype.kind in "iub" and dtype.itemsize < 4 else dtype
    return b.cast(b.emit("MatMul", [b.cast(x, wide), b.cast(y, wide)], shape, wide), dtype)


CONTRACTIONS: dict[str, Rule] = {"dot_general": _dot_general}
