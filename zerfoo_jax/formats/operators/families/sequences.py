"""Sequences of arrays, which are Python lists, and optional values, which are None where there is none.

A sequence's length is always known; the operators build new lists and leave those that they are given as they were.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators.known import Known


def SequenceEmpty(*, dtype: int = 1) -> list[Any]:
    """A sequence of nothing; `dtype` is that of what may come into it."""
    del dtype
    return []


def SequenceConstruct(*inputs: Any) -> list[Any]:
    """The inputs as a sequence."""
    return list(inputs)


def SequenceAt(input_sequence: list[Any], position: Known) -> Any:
    """The item at a position; negative ones count from the end."""
    return input_sequence[_index(position, len(input_sequence))]


def SequenceInsert(input_sequence: list[Any], tensor: Any, position: Known | None = None) -> list[Any]:
    """The sequence with one more item before a position, by default at the end."""
    length = len(input_sequence)
    at = length if position is None or int(position.reshape(-1)[0]) == length else _index(position, length)
    return [*input_sequence[:at], tensor, *input_sequence[at:]]


def SequenceErase(input_sequence: list[Any], position: Known | None = None) -> list[Any]:
    """The sequence without the item at a position, by default the last."""
    at = _index(np.array(-1) if position is None else position, len(input_sequence))
    return input_sequence[:at] + input_sequence[at + 1 :]


def SequenceLength(input_sequence: list[Any]) -> np.ndarray:
    """The number of items."""
    return np.array(len(input_sequence), np.int64)


def SplitToSequence(input: Any, split: Known | None = None, *, axis: int = 0, keepdims: int = 1) -> list[Any]:
    """The parts of an array along an axis: of equal or given sizes, or of size 1, then without the axis unless `keepdims`.

    The last of the parts of equal size is smaller where the size does not divide the axis.
    """
    size = input.shape[axis]
    if split is not None and split.ndim == 1:
        if split.sum() != size or (split < 0).any():
            raise ShapeError(f"parts of {split.tolist()} do not make up {size}")
        ends = np.cumsum(split)[:-1]
    else:
        step = 1 if split is None else int(split)
        if step < 1:
            raise ShapeError(f"parts of {step} cannot be cut")
        ends = np.arange(step, size, step)
    parts = list(jnp.split(input, ends.tolist(), axis)) if size or split is not None else []
    return [jnp.squeeze(part, axis) for part in parts] if split is None and not keepdims else parts


def ConcatFromSequence(input_sequence: list[Any], *, axis: int, new_axis: int = 0) -> Any:
    """The items joined along an axis, or along a new one."""
    if not input_sequence:
        raise ShapeError("an empty sequence cannot be joined")
    return (jnp.stack if new_axis else jnp.concatenate)(input_sequence, axis=axis)


def SequenceMap(input_sequence: list[Any], *additional_inputs: Any, body: Callable[..., Any]) -> tuple[list[Any], ...]:
    """What the body gives for each item; of further sequences it gets the items that stand at the same place."""
    given = (input_sequence, *additional_inputs)
    if any(isinstance(x, list) and len(x) != len(input_sequence) for x in given):
        raise ShapeError(f"sequences of {[len(x) for x in given if isinstance(x, list)]} items cannot be mapped together")
    if not input_sequence:
        raise ShapeError("SequenceMap of an empty sequence is not supported")
    results = [body(*(x[i] if isinstance(x, list) else x for x in given)) for i in range(len(input_sequence))]
    return tuple(map(list, zip(*results, strict=True)))


def Optional(input: Any = None, *, type: str = "") -> Any:
    """The input, or an empty optional value of the type."""
    del type
    return input


def OptionalHasElement(input: Any = None) -> np.ndarray:
    """Whether there is a value."""
    return np.array(input is not None)


def OptionalGetElement(input: Any) -> Any:
    """The value, which must be there."""
    if input is None:
        raise FormatError("OptionalGetElement got an empty optional value")
    return input


def _index(position: np.ndarray, length: int) -> int:
    at = int(position.reshape(-1)[0])
    if not -length <= at < length:
        raise ShapeError(f"position {at} is not in a sequence of {length} items")
    return at % length
