"""Runs a jaxpr one primitive after another.

Calls (`jit`, `checkpoint`, functions with derivatives of their own) are entered, and the loops and branches of `scan`, `while`
and `cond` run step by step, so that every operation is seen on its own. A result is let go when nothing behind needs it.
"""

from collections.abc import Callable, Sequence
import time
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.extend import core as jex
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.engines.bodies import CALLS, LOOPS, bodies
from zerfoo_jax.engines.scope import Place
from zerfoo_jax.engines.value import Value


class Ran(NamedTuple):
    """A primitive that has run: equation `number` of the jaxpr at `place`."""

    place: Place
    number: int
    inputs: Sequence[Value]
    outputs: Sequence[Value]
    seconds: float = 0.0

    @property
    def equation(self) -> Any:
        """The equation in the jaxpr."""
        return self.place.scope.jaxpr.eqns[self.number]

    @property
    def only_moves(self) -> bool:
        """Whether it takes apart or puts together the arrays of a loop, which is no operation of the function's."""
        return self.equation.primitive.name in LOOPS


Watch = Callable[[Ran], None]


def interpret(place: Place, consts: Sequence[Any], arguments: Sequence[Value], watch: Watch | None = None) -> list[Value]:
    """The results of a jaxpr. `watch` is told of every primitive when its results are there."""
    jaxpr = place.scope.jaxpr
    values: dict[Any, Value] = dict(zip(jaxpr.constvars, map(Value, consts), strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for number, equation in enumerate(jaxpr.eqns):
        run = _CONTROL.get(equation.primitive.name, _bind)
        outputs = run(place, number, _read(equation.invars, values), watch)
        values.update(zip(equation.outvars, outputs, strict=True))
        for variable in place.scope.last_uses[number]:
            values.pop(variable, None)
    return _read(jaxpr.outvars, values)


def _read(variables: Sequence[Any], values: dict[Any, Value]) -> list[Value]:
    return [Value(v.val) if isinstance(v, jex.Literal) else values[v] for v in variables]


def _bind(place: Place, number: int, inputs: Sequence[Value], watch: Watch | None) -> Sequence[Value]:
    equation = place.scope.jaxpr.eqns[number]
    began = time.perf_counter()
    with equation.ctx.manager:
        options = equation.primitive.get_bind_params(equation.params)
        results = equation.primitive.bind(*(x.array for x in inputs), **options)
    results = results if equation.primitive.multiple_results else [results]
    outputs = [Value(x) for x in results]
    if watch:
        jax.block_until_ready(results)
        watch(Ran(place, number, inputs, outputs, time.perf_counter() - began))
    return outputs


def _call(place: Place, number: int, inputs: Sequence[Value], watch: Watch | None) -> Sequence[Value]:
    ((_, consts),) = bodies(place.scope.jaxpr.eqns[number])
    return interpret(place.inside(number), consts, inputs, watch)


def _cond(place: Place, number: int, inputs: Sequence[Value], watch: Watch | None) -> Sequence[Value]:
    branch = int(inputs[0].array)
    _, consts = bodies(place.scope.jaxpr.eqns[number])[branch]
    return interpret(place.inside(number, branch), consts, inputs[1:], watch)


def _while(place: Place, number: int, inputs: Sequence[Value], watch: Watch | None) -> Sequence[Value]:
    equation = place.scope.jaxpr.eqns[number]
    (_, condition_consts), (_, body_consts) = bodies(equation)
    first = len(inputs) - len(equation.outvars)
    in_body = len(place.scope.inside(number, 1).jaxpr.invars) - len(equation.outvars)
    for_condition, for_body, carry = inputs[: first - in_body], inputs[first - in_body : first], inputs[first:]
    index = 0
    while True:
        (goes_on,) = interpret(place.inside(number, 0, index), condition_consts, [*for_condition, *carry], watch)
        if not np.any(goes_on.array):
            return carry
        new = interpret(place.inside(number, 1, index), body_consts, [*for_body, *carry], watch)
        if np.ndim(goes_on.array):  # one condition for each element of a batch: those that are done stay as they are
            chosen = _chosen(goes_on.array, [x.array for x in new], [x.array for x in carry])
            new = _moved(place, number, list(zip(new, carry, strict=True)), chosen, watch)
        carry = new
        index += 1


def _scan(place: Place, number: int, inputs: Sequence[Value], watch: Watch | None) -> Sequence[Value]:
    equation = place.scope.jaxpr.eqns[number]
    ((jaxpr, consts),) = bodies(equation)
    # Rows have one axis more outside than inside, carried values the same; what is left is constant.
    num_rows = sum(x.aval.ndim > v.aval.ndim for x, v in zip(equation.invars, jaxpr.invars, strict=True))
    num_carry = sum(o.aval.ndim == v.aval.ndim for o, v in zip(equation.outvars, jaxpr.outvars, strict=True))
    first_row = len(inputs) - num_rows
    fixed, carry, stacks = inputs[: first_row - num_carry], inputs[first_row - num_carry : first_row], inputs[first_row:]
    order = range(equation.params["length"])
    collected: list[Sequence[Value]] = []
    for index in reversed(order) if equation.params["reverse"] else order:
        rows = _moved(place, number, [[x] for x in stacks], _rows([x.array for x in stacks], np.int32(index)), watch)
        outputs = interpret(place.inside(number, index=index), consts, [*fixed, *carry, *rows], watch)
        carry = outputs[:num_carry]
        collected.append(outputs[num_carry:])
    if not collected:
        return [*carry, *(Value(jnp.zeros(v.aval.shape, v.aval.dtype)) for v in equation.outvars[num_carry:])]
    columns = list(zip(*(collected[::-1] if equation.params["reverse"] else collected), strict=True))
    stacked = _stacked([[row.array for row in column] for column in columns])
    return [*carry, *_moved(place, number, columns, stacked, watch)]


def _moved(
    place: Place, number: int, sources: Sequence[Sequence[Value]], results: Sequence[Any], watch: Watch | None
) -> list[Value]:
    outputs = [Value(x) for x in results]
    if watch:
        for source, output in zip(sources, outputs, strict=True):
            watch(Ran(place, number, source, [output]))
    return outputs


@jax.jit
def _rows(stacks: list[Any], index: Any) -> list[Any]:
    return [lax.dynamic_index_in_dim(x, index, keepdims=False) for x in stacks]


@jax.jit
def _chosen(conditions: Any, new: list[Any], old: list[Any]) -> list[Any]:
    axes = range(conditions.ndim)
    return [lax.select(lax.broadcast_in_dim(conditions, a.shape, axes), a, b) for a, b in zip(new, old, strict=True)]


@jax.jit
def _stacked(columns: list[list[Any]]) -> list[Any]:
    return [jnp.stack(column) for column in columns]


_CONTROL = {**dict.fromkeys(CALLS, _call), "cond": _cond, "scan": _scan, "while": _while}
