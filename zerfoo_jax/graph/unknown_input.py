"""What is wrong with a model whatever its input is, for configs whose data cannot be read."""

from collections.abc import Iterator
import math

from zerfoo_jax.core.arity import inputs_taken
from zerfoo_jax.core.errors import Problem
from zerfoo_jax.core.layer import FOLLOWS, Layer, walk
from zerfoo_jax.core.parts import parts
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.spec import DEFAULT_INPUT

KINDS = (("float32", 2), ("float32", 3), ("float32", 4), ("int32", 2))
"""Dtypes and numbers of axes of usual inputs: rows, sequences, images, tokens."""
SIZES = (1009, 1511)


def problems_for_any_input(model: Layer) -> list[Problem]:
    """The problems that a model has for every input that its graph's declarations allow, or where it declares none, for every
    input.

    The model is walked on the usual kinds of input. On the kind that suits it best it is walked again with other sizes: a
    problem that reads the same both times does not come from the input. One whose shapes show the input's size is left for
    when there is data, even if no input could mend it.
    """
    inputs = model.declared() if isinstance(model, Graph) else (Input(DEFAULT_INPUT),) * _inputs_needed(model)
    kinds = [Input(DEFAULT_INPUT, (None,) * axes, dtype) for dtype, axes in KINDS]
    if all(one.shape is not None for one in inputs):
        kinds = kinds[:1]
    best, found = kinds[0], None
    for kind in kinds:
        problems = _problems(model, inputs, kind, SIZES[0])
        if found is None or len(problems) < len(found):
            best, found = kind, problems
        if not found:
            return []
    if any(not _problems(model, inputs, one, SIZES[0]) for one in _declared_inside(model)):
        return []
    if _specs(inputs, best, SIZES[0]) == _specs(inputs, best, SIZES[1]):
        return found or []
    found, again = found or [], set(_problems(model, inputs, best, SIZES[1]))
    # What follows from a problem that another input would not have is no problem of the model.
    after_all = not found or found[0] in again
    return [problem for problem in found if problem in again and (after_all or FOLLOWS not in problem.cause)]


def _inputs_needed(layer: Layer) -> int:
    """The least number of inputs of a layer; one that takes any number hands them to the first layer in it."""
    if isinstance(layer, Graph):
        return len(layer.inputs)
    least, most = inputs_taken(type(layer))
    held = [part for value in vars(layer).values() for part in (value if isinstance(value, tuple) else (value,))]
    inside = [part for part in held if isinstance(part, Layer)][:1] if most == math.inf else []
    return max(1, least, *map(_inputs_needed, inside))


def _declared_inside(model: Layer) -> Iterator[Input]:
    """What the graphs in a model declare of their inputs: the model's own may be like that."""
    for part in parts(model):
        declared = part.declared() if isinstance(part, Graph) else ()
        yield from (one for one in declared if one.shape is not None)
        yield from _declared_inside(part)


def _problems(model: Layer, inputs: tuple[Input, ...], kind: Input, size: int) -> list[Problem]:
    return walk(model, *_specs(inputs, kind, size)).problems


def _specs(inputs: tuple[Input, ...], kind: Input, size: int) -> list[Spec]:
    known = [kind if one.shape is None else one for one in inputs]
    rows = next((one.shape[0] for one in known if one.shape and one.shape[0] is not None), 1)
    return [_with_rows(one, size, rows) for one in known]


def _with_rows(given: Input, size: int, rows: int) -> Spec:
    spec = given.spec(any_size=size)
    any_rows = bool(given.shape) and given.shape[0] is None
    return Spec((rows, *spec.shape[1:]), spec.dtype) if any_rows else spec
