"""A jaxpr as operators, one equation after the other."""

from collections.abc import Callable, Sequence
import math
from typing import Any

import jax
from jax.extend import core as jex
import numpy as np

from zerfoo_jax.core.errors import FormatError, Problem, ZerfooError
from zerfoo_jax.engines.bodies import CALLS, bodies
from zerfoo_jax.engines.names import layer_names
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.pointwise import computed
from zerfoo_jax.formats.lowering.rules import RULES
from zerfoo_jax.formats.lowering.rules.shapes import MOVES
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed, known, plain

MAX_FOLDED = 2**20
"""Elements up to which a constant is computed and stored; over it only where what it is computed from has as many."""

NAMED = "call_hi_primitive"
"""The primitive by which JAX from 0.12 on calls functions that it knows by name, such as `searchsorted`."""

_RANDOM = ("random_", "threefry2x32", "rng_")

Control = Callable[..., Sequence[Tensor]]


class Lowering:
    """Writes jaxprs to builders and collects what cannot be written."""

    def __init__(self, control: dict[str, Control]):
        self.problems: list[Problem] = []
        self.wanted: Sequence[bool] = ()
        """Which results of the equation that is being written are needed."""
        self._control = control

    def run(
        self,
        b: Builder,
        jaxpr: Any,
        consts: Sequence[Any],
        inputs: Sequence[Tensor],
        path: str = "",
        results: Sequence[Any] | None = None,
    ) -> list[Tensor]:
        """The results of a jaxpr whose equations stand at `path`, all or some. What none of them needs is left out."""
        values: dict[Any, Tensor] = dict(zip(jaxpr.constvars, map(_constant, consts), strict=True))
        values.update(zip(jaxpr.invars, inputs, strict=True))
        results = list(jaxpr.outvars) if results is None else results
        wanted = needed(jaxpr, results)
        for equation in jaxpr.eqns:
            if any(v in wanted for v in equation.outvars):
                self.wanted = [v in wanted for v in equation.outvars]
                b.path = "/".join(filter(None, (path, *layer_names(str(equation.source_info.name_stack)))))
                outputs = self._equation(b, equation, [_read(v, values) for v in equation.invars])
                values.update(zip(equation.outvars, outputs, strict=True))
        b.path = path
        return [_read(v, values) for v in results]

    def _equation(self, b: Builder, eq: Any, xs: Sequence[Tensor]) -> Sequence[Tensor]:
        name, place = eq.primitive.name, b.path
        try:
            if name in CALLS or name == NAMED:
                return self._call(b, eq, xs)
            if name in self._control:
                return self._control[name](self, b, eq, *xs)
            if _is_constant(eq, xs):
                arrays = computed(eq, [b.plain(x).array for x in xs])
                return [known(array, f"{place}/{name}" if place else "") for array in arrays]
            if name in RULES:
                outputs = RULES[name](b, eq, *xs)
                return [outputs] if isinstance(outputs, Tensor) else outputs
            self._missing(name, place)
        except ZerfooError as error:
            self.problems += [problem.under(place) for problem in error.problems]
        return list(map(_nothing, eq.outvars))

    def _call(self, b: Builder, eq: Any, xs: Sequence[Tensor]) -> Sequence[Tensor]:
        ((jaxpr, consts),) = [_meaning(eq)] if eq.primitive.name == NAMED else bodies(eq)
        wanted = self.wanted
        made = iter(self.run(b, jaxpr, consts, xs, b.path, [v for v, keep in zip(jaxpr.outvars, wanted, strict=True) if keep]))
        return [next(made) if keep else _nothing(v) for v, keep in zip(eq.outvars, wanted, strict=True)]

    def _missing(self, name: str, place: str) -> None:
        if name.startswith(_RANDOM):
            cause, fix = (
                f"the model draws random numbers ({name}), which no operator does as JAX",
                "draw them outside of the model",
            )
        else:
            cause, fix = f"no operator does what JAX's {name} does", "write this part of the model with other functions"
        self.problems.append(Problem(cause, place, fix))

    def finish(self) -> None:
        """Raises one `FormatError` with all that could not be written."""
        if self.problems:
            raise FormatError(list(dict.fromkeys(self.problems)))


def _meaning(eq: Any) -> tuple[Any, Sequence[Any]]:
    """The jaxpr of a function that JAX knows by name, and its constants."""
    function = eq.params["_prim"]
    specs = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in function.in_avals_flat]
    made = jax.make_jaxpr(lambda *xs: function.expand(*jax.tree.unflatten(function.in_tree, xs)))(*specs)
    return made.jaxpr, made.consts


def _nothing(v: Any) -> Tensor:
    """What stands for a result that nobody reads, or that could not be written."""
    return plain("", getattr(v.aval, "shape", ()), _dtype(v.aval))


def _constant(array: Any) -> Tensor:
    return known(np.asarray(array))


def _read(v: Any, values: dict[Any, Tensor]) -> Tensor:
    return known(np.asarray(v.val, _dtype(v.aval))) if isinstance(v, jex.Literal) else values[v]


def needed(jaxpr: Any, results: Sequence[Any]) -> set[Any]:
    """The variables of a jaxpr that some of its results depend on, and these."""
    wanted = {v for v in results if not isinstance(v, jex.Literal)}
    for equation in reversed(jaxpr.eqns):
        if any(v in wanted for v in equation.outvars):
            wanted |= {v for v in equation.invars if not isinstance(v, jex.Literal)}
    return wanted


def _is_constant(eq: Any, xs: Sequence[Tensor]) -> bool:
    """Whether an equation can be computed now. Views of what is known are known, whatever their size, and need no copy."""
    if eq.primitive.name in MOVES or getattr(RULES.get(eq.primitive.name), "folds", False):
        return False
    if any(x.array is None for x in xs) or not all(is_fixed(v.aval.shape) for v in (*eq.invars, *eq.outvars)):
        return False
    made = sum(math.prod(v.aval.shape) for v in eq.outvars)
    return made <= max(MAX_FOLDED, 2 * sum(x.array.size for x in xs if x.array is not None))


def _dtype(aval: Any) -> np.dtype:
    try:
        return np.dtype(aval.dtype)
    except TypeError:  # a random key
        return np.dtype(np.uint32)
