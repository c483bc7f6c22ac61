"""What is wrong with a model whatever its input is, for configs whose data cannot be read."""

from zerfoo_jax.core.errors import Problem
from zerfoo_jax.core.layer import Layer, walk
from zerfoo_jax.core.types import Spec

KINDS = (("float32", 2), ("float32", 3), ("float32", 4), ("int32", 2))
"""Dtypes and numbers of axes of usual inputs: rows, sequences, images, tokens."""
SIZES = (1009, 1511)


def problems_for_any_input(model: Layer, count: int = 1) -> list[Problem]:
    """The problems that a model of `count` inputs has for every input.

    The model is walked on the usual kinds of input. On the kind that suits it best it is walked again with other sizes: a
    problem that reads the same both times does not come from the input. One whose shapes show the input's size is left for
    when there is data, even if no input could mend it.
    """
    best, found = KINDS[0], None
    for kind in KINDS:
        problems = _problems(model, count, kind, SIZES[0])
        if found is None or len(problems) < len(found):
            best, found = kind, problems
        if not found:
            return []
    again = set(_problems(model, count, best, SIZES[1]))
    return [problem for problem in found or () if problem in again]


def _problems(model: Layer, count: int, kind: tuple[str, int], size: int) -> list[Problem]:
    dtype, axes = kind
    return walk(model, *[Spec((1, *(size,) * (axes - 1)), dtype)] * count).problems
