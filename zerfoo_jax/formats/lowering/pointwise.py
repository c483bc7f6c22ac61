"""Operations on one element at a time: their inputs are brought into one layout, which their result then has too."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax
import numpy as np

from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.tensor import Dims, Tensor, is_one, known, plain

Pointwise = Callable[..., Tensor]


def broadcast(shapes: Sequence[Dims]) -> Dims:
    """The shape that arrays of these shapes broadcast to, as ONNX and NumPy have it."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((size for size in sizes if not is_one(size)), 1) for sizes in zip(*padded, strict=True))


def point(b: Builder, op_type: str, *xs: Tensor, dtype: Any = None, **attributes: Any) -> Tensor:
    """Writes an operator that works element by element on stored arrays."""
    return b.emit(op_type, xs, broadcast([x.stored for x in xs]), dtype or xs[0].dtype, **attributes)


def pointwise(rule: Pointwise) -> Callable[..., Tensor]:
    """A rule on stored arrays of one layout as a rule on views. What is known is computed."""

    @wraps(rule)
    def run(b: Builder, eq: Any, *xs: Tensor) -> Tensor:
        aval = eq.outvars[0].aval
        shape, dtype = tuple(aval.shape), np.dtype(aval.dtype)
        lead = _lead(xs, len(shape))
        if lead.array is None and all(_alike(x, lead) for x in xs):
            made = rule(b, eq, *(_one(x) if x.array is not None else x for x in xs))
            return Tensor(made.name, shape, dtype, made.stored, lead.axes, made.array)
        order = lead.layout()
        arranged = [_arranged(b, x, order) for x in xs]
        if all(x.array is not None for x in arranged) and not are_codes(arranged[0], dtype):
            made = known(_computed(eq, [x.array for x in arranged]), f"{b.path}/{eq.primitive.name}" if b.path else "")
        else:
            made = rule(b, eq, *arranged)
        return _viewed(made, shape, dtype, order)

    run.__dict__["folds"] = True
    return run


def _lead(xs: Sequence[Tensor], rank: int) -> Tensor:
    """The input whose layout the others take: the one with the most axes that is not known."""
    return max((x for x in xs if x.rank == rank), key=lambda x: (x.array is None, sum(not is_one(s) for s in x.stored)))


CODES = 2**12
"""From so many elements on, codes of one byte are stored as they are, and become numbers when the model runs."""


def are_codes(x: Tensor, dtype: np.dtype) -> bool:
    """Whether these are a quantised parameter's codes on their way to floats."""
    return x.array is not None and x.dtype in (np.int8, np.uint8) and dtype.kind == "f" and x.array.size >= CODES


def _alike(x: Tensor, lead: Tensor) -> bool:
    """Whether an input fits the other's stored array as it is: it is stored alike, or one known number."""
    if x.array is not None:
        return x.array.size == 1
    return x.axes == lead.axes and len(x.stored) == len(lead.stored)


def _one(x: Tensor) -> Tensor:
    assert x.array is not None
    return known(x.array.reshape(()), x.name)


def _arranged(b: Builder, x: Tensor, order: Sequence[int]) -> Tensor:
    """The stored array in a layout, without axes of one element in front, as broadcasting does not need them."""
    if not x.rank:
        return b.arranged(x, ())
    order = list(order)
    while order and x.axes[order[0]] is None:
        order.pop(0)
    made = b.arranged(x, order)
    if made.array is None:
        return made
    array = made.array
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return known(array, made.name)


def _computed(eq: Any, arrays: Sequence[Any]) -> np.ndarray:
    return computed(eq, np.broadcast_arrays(*arrays))[0]


def computed(eq: Any, arrays: Sequence[Any]) -> list[np.ndarray]:
    """What a primitive makes of known arrays."""
    with jax.ensure_compile_time_eval():
        results = eq.primitive.bind(*map(np.asarray, arrays), **eq.primitive.get_bind_params(eq.params))
    return [np.asarray(x) for x in (results if eq.primitive.multiple_results else [results])]


def _viewed(made: Tensor, shape: Dims, dtype: np.dtype, order: Sequence[int]) -> Tensor:
    """The view of a result that is stored in a layout."""
    missing = len(order) - len(made.stored)
    axes: list[int | None] = [None] * len(order)
    for place, axis in enumerate(order):
        stored = place - missing
        repeats = stored < 0 or (is_one(made.stored[stored]) and not is_one(shape[axis]))
        axes[axis] = None if repeats else stored
    return Tensor(made.name, shape, dtype, made.stored, tuple(axes), made.array)


def as_value(b: Builder, x: Tensor) -> Tensor:
    """The stored array as a plain tensor."""
    return plain(b.name_of(x), x.stored, x.dtype)
