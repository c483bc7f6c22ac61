"""Loops and branches: operators that hold graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.engines.bodies import bodies
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.lower import Lowering, needed
from zerfoo_jax.formats.lowering.rules.shapes import cut, joined
from zerfoo_jax.formats.lowering.tensor import Tensor, is_fixed, known
from zerfoo_jax.formats.operators.graph import OperatorGraph

MAX_UNROLLED = 256
"""Blocks of a stack, whose parameters are the rows of a scan, that are written one after the other."""


def scan(lowering: Lowering, b: Builder, eq: Any, *xs: Tensor) -> Sequence[Tensor]:
    """A loop over rows: a Scan; where all rows are parameters, as in a stack of blocks, the blocks one after the other."""
    ((jaxpr, _),) = bodies(eq)
    # Rows have one axis more outside than inside, carried values the same; what is left is constant.
    rows = sum(x.aval.ndim > v.aval.ndim for x, v in zip(eq.invars, jaxpr.invars, strict=True))
    carried = sum(o.aval.ndim == v.aval.ndim for o, v in zip(eq.outvars, jaxpr.outvars, strict=True))
    first = len(xs) - rows
    fixed, carry, stacks = xs[: first - carried], xs[first - carried : first], xs[first:]
    length = eq.params["length"]
    in_order = rows and all(x.array is not None for x in stacks)
    if is_fixed((length,)) and length and (length == 1 or (in_order and length <= MAX_UNROLLED)):
        return _unrolled(lowering, b, eq, fixed, carry, stacks)
    return _scanned(lowering, b, eq, fixed, carry, stacks)


def _unrolled(
    lowering: Lowering, b: Builder, eq: Any, fixed: Sequence[Tensor], carry: Sequence[Tensor], stacks: Sequence[Tensor]
) -> Sequence[Tensor]:
    ((jaxpr, consts),) = bodies(eq)
    path, order = b.path, range(eq.params["length"])
    collected: list[Sequence[Tensor]] = []
    for index in reversed(order) if eq.params["reverse"] else order:
        place = f"{path}[{index}]"
        rows = [_row(b, x, index) for x in stacks]
        outputs = lowering.run(b, jaxpr, consts, [*fixed, *carry, *rows], place)
        carry = outputs[: len(carry)]
        collected.append(outputs[len(carry) :])
    b.path = path
    columns = zip(*(collected[::-1] if eq.params["reverse"] else collected), strict=True)
    return [*carry, *(_stacked(b, column) for column in columns)]


def _row(b: Builder, x: Tensor, index: int) -> Tensor:
    row = cut(b, x, {0: (index, index + 1, 1)})
    row = row.viewed(x.shape[1:], range(1, x.rank))
    return known(b.plain(row).array, f"{x.name}.{index}" if x.name else "") if row.array is not None else row


def _stacked(b: Builder, column: Sequence[Tensor]) -> Tensor:
    rows = [x.viewed((1, *x.shape), (None, *range(x.rank))) for x in column]
    return joined(b, rows, 0)


def _scanned(
    lowering: Lowering, b: Builder, eq: Any, fixed: Sequence[Tensor], carry: Sequence[Tensor], stacks: Sequence[Tensor]
) -> Sequence[Tensor]:
    ((jaxpr, consts),) = bodies(eq)
    first = len(fixed)
    kept, used = _live(jaxpr, first, len(carry), lowering.wanted)
    results = [i for i, keep in enumerate(kept) if keep]
    in_states, in_rows = used[first : first + len(carry)], used[first + len(carry) :]
    if stacks and not any(in_rows):  # a Scan has to scan something
        in_rows[0] = True
    carry_in = [x for x, keep in zip(carry, in_states, strict=True) if keep]
    stacks_in = [x for x, keep in zip(stacks, in_rows, strict=True) if keep]
    if not stacks:
        stacks_in = [b.scalar(0, np.int32).viewed((eq.params["length"],), (None,))]
    inner = Builder(b.book, b)
    states = [inner.input(_at(b.path, "carry"), x.shape, x.dtype) for x in carry_in]
    rows = [inner.input(_at(b.path, "row"), x.shape[1:], x.dtype) for x in stacks_in]
    given = _spread([*in_states, *in_rows], [*states, *rows], [*carry, *stacks])
    outputs = lowering.run(inner, jaxpr, consts, [*fixed, *given], b.path, [jaxpr.outvars[i] for i in results])
    backwards, many = int(eq.params["reverse"]), len(outputs) - len(states)
    made = b.emit_many(
        "Scan",
        [b.plain(x) for x in (*carry_in, *stacks_in)],
        [(eq.outvars[i].aval.shape, eq.outvars[i].aval.dtype) for i in results],
        body=inner.graph([*states, *rows], inner.results(outputs), name="body"),
        num_scan_inputs=len(rows),
        scan_input_directions=(backwards,) * len(rows) if backwards else None,
        scan_output_directions=(backwards,) * many if backwards and many else None,
    )
    return _spread(kept, made, [b.scalar(0, v.aval.dtype) for v in eq.outvars])


def _at(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _live(jaxpr: Any, first: int, carried: int, wanted: Sequence[bool]) -> tuple[list[bool], list[bool]]:
    """Which results of a scan's body are needed, and which of its inputs; of carried values those that anything needs.

    `first` is the place of the first carried value among the inputs.
    """
    kept = list(wanted)
    while True:
        live = needed(jaxpr, [v for v, keep in zip(jaxpr.outvars, kept, strict=True) if keep])
        used = [v in live for v in jaxpr.invars]
        states = [a or b for a, b in zip(used[first : first + carried], kept[:carried], strict=True)]
        if states == kept[:carried]:
            return kept, [*used[:first], *states, *used[first + carried :]]
        kept[:carried] = states


def _spread(kept: Sequence[bool], values: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """The values in the places that are kept, others in between."""
    left = iter(values)
    return [next(left) if keep else other for keep, other in zip(kept, others, strict=True)]


def loop(lowering: Lowering, b: Builder, eq: Any, *xs: Tensor) -> Sequence[Tensor]:
    """A while loop: a Loop, whose condition for the first round is computed in front of it."""
    (condition, condition_consts), (body, body_consts) = bodies(eq)
    carried = len(eq.outvars)
    in_body = len(body.invars) - carried
    first = len(xs) - carried
    for_condition, for_body, carry = xs[: first - in_body], xs[first - in_body : first], xs[first:]
    path = b.path
    if condition.outvars[0].aval.shape:
        raise FormatError("a loop that ends at different times for the rows of a batch has no operator")
    (goes_on,) = lowering.run(b, condition, condition_consts, [*for_condition, *carry], path)
    inner = Builder(b.book, b)
    count = inner.input("round", (), np.int64)
    going = inner.input("condition", (), bool)
    states = [inner.input(f"{path}/carry" if path else "carry", x.shape, x.dtype) for x in carry]
    new = lowering.run(inner, body, body_consts, [*for_body, *states], path)
    (again,) = lowering.run(inner, condition, condition_consts, [*for_condition, *new], path)
    graph = inner.graph([count, going, *states], inner.results([again, *new]), name="body")
    given = [None, *(b.plain(x) for x in (goes_on, *carry))]
    return b.emit_many("Loop", given, [(v.aval.shape, v.aval.dtype) for v in eq.outvars], body=graph)


def branch(lowering: Lowering, b: Builder, eq: Any, which: Tensor, *xs: Tensor) -> Sequence[Tensor]:
    """One of several jaxprs: an If within an If."""
    options = bodies(eq)
    if which.array is not None:
        jaxpr, consts = options[int(np.clip(which.array, 0, len(options) - 1))]
        return lowering.run(b, jaxpr, consts, xs, b.path)
    return _branches(lowering, b, eq, b.plain(which), xs, 0)


def _branches(lowering: Lowering, b: Builder, eq: Any, which: Tensor, xs: Sequence[Tensor], number: int) -> Sequence[Tensor]:
    options = bodies(eq)
    if number == len(options) - 1:
        jaxpr, consts = options[number]
        return lowering.run(b, jaxpr, consts, xs, b.path)
    path = b.path
    # Of three and more, a number below the first means the first, as in JAX.
    first = b.emit("LessOrEqual", [b.cast(which, np.int32), b.scalar(number, np.int32)], (), bool)

    def graph(write: Any) -> OperatorGraph:
        inner = Builder(b.book, b)
        outputs = write(inner)
        return inner.graph([], inner.results(outputs), name="branch")

    jaxpr, consts = options[number]
    taken = graph(lambda inner: lowering.run(inner, jaxpr, consts, xs, path))
    others = graph(lambda inner: _branches(lowering, inner, eq, which, xs, number + 1))
    avals = [(v.aval.shape, v.aval.dtype) for v in eq.outvars]
    return b.emit_many("If", [first], avals, then_branch=taken, else_branch=others)


CONTROL = {"cond": branch, "scan": scan, "while": loop}
