"""Runs one operator: finds its function, hands over what it asks for, and keeps known values known.

The function of an operator is named as the operator. Its positional parameters are the operator's inputs (None for one left
out), its keyword parameters are the attributes, with the specification's defaults. It gives one array or a tuple of them. What
it may ask for besides, by these names: `outputs` (how many outputs are wanted), `train` and `key`. An attribute that holds a
graph arrives as a function from the graph's inputs to the tuple of its outputs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
import inspect
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError, brief
from zerfoo_jax.formats.operators.known import BufferMark, KnownMark, expect_known

MAX_KNOWN = 2**20
"""Elements that a known value may have; larger ones are computed when the model runs."""

MODE = ("outputs", "train", "key")
"""What a function may ask for besides inputs and attributes."""


@dataclass(frozen=True)
class Signature:
    """What the function of an operator takes."""

    inputs: tuple[str, ...]
    needed: int
    """Inputs without a default, which come first."""
    variadic: bool
    known: frozenset[str]
    buffers: frozenset[str]
    attributes: frozenset[str]
    required: frozenset[str]
    """Attributes without a default."""
    mode: frozenset[str]

    def input_name(self, position: int) -> str:
        """The name of the input at a position; those of a variadic operator share one."""
        return self.inputs[min(position, len(self.inputs) - 1)] if self.inputs else f"input {position}"


@cache
def signature(function: Callable[..., Any]) -> Signature:
    """The signature of an operator's function, read once."""
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return Signature(
        inputs=tuple(p.name for p in positional),
        needed=sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in positional),
        variadic=any(p.kind is p.VAR_POSITIONAL for p in positional),
        known=frozenset(p.name for p in positional if KnownMark in _marks(p.annotation)),
        buffers=frozenset(p.name for p in positional if BufferMark in _marks(p.annotation)),
        attributes=frozenset(p.name for p in keywords if p.name not in MODE),
        required=frozenset(p.name for p in keywords if p.name not in MODE and p.default is p.empty),
        mode=frozenset(p.name for p in keywords if p.name in MODE),
    )


def _marks(annotation: Any) -> set[Any]:
    """The marks of an annotation, also of `Known | None`."""
    return {mark for part in (annotation, *get_args(annotation)) for mark in getattr(part, "__metadata__", ())}


def call(
    function: Callable[..., Any],
    op_type: str,
    inputs: Sequence[Any],
    attributes: Mapping[str, Any],
    captured: Sequence[Any] = (),
    **mode: Any,
) -> tuple[Any, ...]:
    """The outputs of an operator, always as a tuple; `mode` holds `outputs`, `train` and `key`.

    `captured` are the values that graphs among the attributes use besides their own inputs.

    Raises `FormatError` for inputs and attributes that the operator does not have or lacks, and `ShapeError` for an input that
    must be known and is not, and for inputs and attributes that do not fit together.
    """
    asked = signature(function)
    if len(inputs) > len(asked.inputs) and not asked.variadic:
        raise FormatError(f"{op_type} takes at most {len(asked.inputs)} inputs, got {len(inputs)}")
    for i in range(asked.needed):
        if i >= len(inputs) or inputs[i] is None:
            raise FormatError(f"{op_type} lacks its input {asked.inputs[i]!r}")
    for name in attributes.keys() - asked.attributes:
        raise FormatError(f"{op_type} has no attribute {name!r}")
    for name in asked.required - attributes.keys():
        raise FormatError(f"{op_type} lacks its attribute {name!r}")
    mode = {name: value for name, value in mode.items() if name in asked.mode}
    given = [
        expect_known(x, op_type, asked.input_name(i)) if x is not None and asked.input_name(i) in asked.known else x
        for i, x in enumerate(inputs)
    ]

    try:
        if mode.get("key") is not None or not all(map(_is_known, (*inputs, *captured))):
            return _as_tuple(function(*given, **attributes, **mode))
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            outputs = _as_tuple(function(*given, **attributes, **mode))
            return tuple(_known(output) for output in outputs)
    except _MISFITS as error:
        taken = ", ".join(_described(x) for x in inputs)
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ShapeError(f"{op_type} cannot take ({taken}) with its attributes: {brief(reason)}") from error


_MISFITS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What NumPy and JAX raise for arrays and numbers that do not fit together."""


def _described(value: Any) -> str:
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    return type(value).__name__ if dtype is None else f"{dtype}{list(shape or ())}"


def _is_known(value: Any) -> bool:
    """Whether a value is known, be it left out, an array or a sequence."""
    return all(map(_is_known, value)) if isinstance(value, list) else value is None or isinstance(value, np.ndarray)


def _known(output: Any) -> Any:
    """An output of an operator on known values as a known value, unless it is large."""
    if isinstance(output, list):
        return [_known(item) for item in output]
    return np.asarray(output) if isinstance(output, jnp.ndarray | np.generic) and output.size <= MAX_KNOWN else output


def _as_tuple(outputs: Any) -> tuple[Any, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
