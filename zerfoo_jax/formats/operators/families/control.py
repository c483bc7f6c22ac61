"""Branches and loops. Their bodies are functions from a sub-graph's inputs to the tuple of its outputs.

What is known before the model runs decides at once: a branch is picked, a loop is unrolled. Everything else becomes
`lax.cond`, `lax.scan` or `lax.while_loop`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax
from jax.core import Tracer
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.core.layer import is_known
from zerfoo_jax.formats.operators.sizes import check_output_size

Body = Callable[..., tuple[Any, ...]]

MAX_UNROLLED = 32
"""Rounds of a loop over traced values that are written out one after another."""


def If(cond: Any, *, then_branch: Body, else_branch: Body) -> tuple[Any, ...]:
    """The outputs of `then_branch` where the condition holds, else those of `else_branch`."""
    if is_known(cond):
        return (then_branch if cond.reshape(-1)[0] else else_branch)()
    return lax.cond(jnp.reshape(cond, ()), lambda: _arrays(then_branch()), lambda: _arrays(else_branch()))


def Loop(M: Any = None, cond: Any = None, *v_initial: Any, body: Body) -> tuple[Any, ...]:
    """Runs `body(i, cond, *v) -> (cond, *v, *scanned)` while the condition holds, `M` times at most.

    The last `v`, then all that was scanned, stacked; how often a loop runs that scans must be known.
    """
    running = np.array(True) if cond is None else cond
    if (M is not None and not is_known(M)) or not is_known(running):
        return _while(M, running, v_initial, body)
    rounds = None if M is None else int(M.reshape(-1)[0])
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(v_initial))
    if traced and rounds is not None and rounds > MAX_UNROLLED and _never_stops(running, v_initial, body):
        return _scan(rounds, running, v_initial, body)
    return _unrolled(rounds, running, v_initial, body)


def _unrolled(rounds: int | None, running: Any, v: Sequence[Any], body: Body) -> tuple[Any, ...]:
    scanned: list[tuple[Any, ...]] = []
    i, count, initial = 0, len(v), v
    while running.reshape(-1)[0] and (rounds is None or i < rounds):
        running, *results = body(np.array(i, np.int64), running, *v)
        if not is_known(running):
            return _while(None if rounds is None else np.array(rounds), np.array(True), initial, body)
        v, more = results[:count], tuple(results[count:])
        for x in more:
            check_output_size((max(i, rounds or 0), *x.shape))
        scanned.append(more)
        i += 1
    if not scanned:
        return (*v, *_nothing_scanned(running, v, body))
    return (*v, *(jnp.stack(column) for column in zip(*scanned, strict=True)))


def _nothing_scanned(running: Any, v: Sequence[Any], body: Body) -> list[Any]:
    """Empty arrays of the shapes that the body would give."""
    if any(isinstance(x, list) or x is None for x in v):
        return []
    shapes = jax.eval_shape(lambda *v: body(np.array(0, np.int64), running, *v)[1 + len(v) :], *v)
    return [jnp.zeros((0, *x.shape), x.dtype) for x in shapes]


def _never_stops(running: Any, v: Sequence[Any], body: Body) -> bool:
    """Whether the body gives a condition that always holds."""
    found: list[Any] = []

    def run(i: Any, *v: Any) -> None:
        found.append(body(i, running, *v)[0])

    if any(isinstance(x, list) or x is None for x in v):
        return False
    jax.eval_shape(run, jnp.asarray(0), *v)
    return bool(running) and is_known(found[0]) and bool(found[0])


def _scan(rounds: int, running: Any, v: Sequence[Any], body: Body) -> tuple[Any, ...]:
    def step(v: tuple[Any, ...], i: Any) -> tuple[Any, Any]:
        results = _arrays(body(i, running, *v)[1:])
        return results[: len(v)], results[len(v) :]

    last, scanned = lax.scan(step, _arrays(v), jnp.arange(rounds))
    return (*last, *scanned)


def _while(M: Any, running: Any, v: Sequence[Any], body: Body) -> tuple[Any, ...]:
    if any(isinstance(x, list) or x is None for x in v):
        raise ShapeError("a loop over sequences must know before it runs how often it runs")
    most = jnp.iinfo(jnp.int32).max if M is None else jnp.reshape(M, ())

    def goes_on(state: Any) -> Any:
        i, running, _ = state
        return running & (i < most)

    def step(state: Any) -> Any:
        i, running, v = state
        running, *results = body(i, running, *v)
        if len(results) != len(v):
            raise ShapeError("a loop whose arrays are stacked must know before it runs how often it runs")
        return i + 1, jnp.reshape(running, ()), _arrays(results)

    start = (jnp.asarray(0, jnp.asarray(most).dtype), jnp.reshape(running, ()), _arrays(v))
    return tuple(lax.while_loop(goes_on, step, start)[2])


def Scan_9(
    *inputs: Any,
    body: Body,
    num_scan_inputs: int,
    scan_input_axes: tuple[int, ...] = (),
    scan_input_directions: tuple[int, ...] = (),
    scan_output_axes: tuple[int, ...] = (),
    scan_output_directions: tuple[int, ...] = (),
) -> tuple[Any, ...]:
    """Runs `body(*state, *slices) -> (*state, *scanned)` along an axis of each of the last `num_scan_inputs` inputs.

    The last state, then all that was scanned, stacked along `scan_output_axes`; a direction of 1 is backwards.
    """
    count = len(inputs) - num_scan_inputs
    if not 0 <= count < len(inputs):
        raise FormatError(f"Scan has {len(inputs)} inputs, {num_scan_inputs} of them to be scanned")
    axes = scan_input_axes or (0,) * num_scan_inputs
    backwards = scan_input_directions or (0,) * num_scan_inputs
    xs = [_turned(jnp.moveaxis(x, axis, 0), back) for x, axis, back in zip(inputs[count:], axes, backwards, strict=True)]
    if len({x.shape[0] for x in xs}) != 1:
        raise ShapeError(f"inputs of {[x.shape[0] for x in xs]} slices cannot be scanned together")
    # Where the body captures what is not known, known inputs do not stay known either.
    known = all(map(is_known, inputs)) and not any(isinstance(x, Tracer) for x in xs)
    state, scanned = _scanned(inputs[:count], xs, body, known)
    out_axes = scan_output_axes or (0,) * len(scanned)
    out_backwards = scan_output_directions or (0,) * len(scanned)
    return (
        *state,
        *(jnp.moveaxis(_turned(x, back), 0, axis) for x, axis, back in zip(scanned, out_axes, out_backwards, strict=True)),
    )


def Scan(
    sequence_lens: Any = None, *inputs: Any, body: Body, num_scan_inputs: int, directions: tuple[int, ...] = ()
) -> tuple[Any, ...]:
    """As `Scan_9`, for each item of a batch: the first axis is the batch's, the second is scanned."""
    if sequence_lens is not None:
        raise FormatError("Scan with the lengths of its sequences is not supported")
    items = [
        Scan_9(*(x[i] for x in inputs), body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions)
        for i in range(inputs[0].shape[0])
    ]
    return tuple(jnp.stack(column) for column in zip(*items, strict=True))


def _scanned(state: Sequence[Any], xs: list[Any], body: Body, known: bool) -> tuple[Sequence[Any], Sequence[Any]]:
    count, length = len(state), xs[0].shape[0]
    if not known or not length:
        return lax.scan(lambda v, x: _parted(_arrays(body(*v, *x)), count), _arrays(state), tuple(xs))
    rows: list[Sequence[Any]] = []
    for i in range(length):
        state, row = _parted(body(*state, *(np.asarray(x[i]) for x in xs)), count)
        rows.append(row)
    return state, [jnp.stack(column) for column in zip(*rows, strict=True)]


def _parted(results: tuple[Any, ...], count: int) -> tuple[Any, Any]:
    return results[:count], results[count:]


def _turned(x: Any, backwards: int) -> Any:
    return jnp.flip(x, 0) if backwards else x


def _arrays(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(jnp.asarray, values))
