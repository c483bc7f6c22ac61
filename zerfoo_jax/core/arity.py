"""How many inputs a layer takes, read off its own methods."""

from collections.abc import Sequence
from functools import cache
from inspect import Parameter, signature
import math
from typing import Any

from zerfoo_jax.core.errors import ShapeError

_BEFORE_INPUTS = {"init": 2, "forward": 2, "apply": 3, "connect": 2, "build": 3}
_MODE = ("key", "train")


@cache
def inputs_taken(kind: type) -> tuple[int, float]:
    """The least and the largest number of inputs of layers of this class.

    >>> from zerfoo_jax.layers import Add, Dense
    >>> inputs_taken(Dense), inputs_taken(Add)
    ((1, 1), (0, inf))
    """
    least, most = 0, math.inf
    for name, leading in _BEFORE_INPUTS.items():
        found = signature(getattr(kind, name)).parameters.values() if hasattr(kind, name) else ()
        inputs = [p for p in list(found)[leading:] if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in _MODE]
        least = max(least, sum(p.default is Parameter.empty for p in inputs))
        if found and not any(p.kind is p.VAR_POSITIONAL for p in found):
            most = min(most, len(inputs))
    return least, most


def expect_inputs(layer: Any, xs: Sequence[Any]) -> None:
    """Raises `ShapeError` unless the layer takes that many inputs, and each is an array or a spec."""
    kind = type(layer)
    least, most = inputs_taken(kind)
    if not least <= len(xs) <= most:
        wanted = str(least) if least == most else f"at least {least}" if most == math.inf else f"{least} to {most}"
        fix = "join them first, with Add or Concatenate" if len(xs) > most else "connect what is missing"
        raise ShapeError(f"{kind.__name__} takes {wanted} input{'s' * (wanted != '1')}, got {len(xs)}", fix=fix)
    for x in xs:
        if not hasattr(x, "shape"):
            raise ShapeError(
                f"{kind.__name__} takes arrays, got a {type(x).__name__}", fix="feed it one output, in a graph as `name:0`"
            )
