"""Watches every operation of a function, and stops where numbers cease to be finite."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import jax

from zerfoo_jax.core.errors import DivergedError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.types import Tree
from zerfoo_jax.engines.engine import Engine, Function
from zerfoo_jax.engines.interpreter import Ran
from zerfoo_jax.engines.journal import Journal
from zerfoo_jax.engines.operation import Operation, operation_of, table
from zerfoo_jax.engines.origin import History
from zerfoo_jax.engines.program import Program, Results
from zerfoo_jax.engines.value import Value

LOG = "debug.jsonl"
"""The file in a run folder that holds the records."""


@dataclass(frozen=True)
class Trace:
    """One run of a function: its output, its operations in the order in which they ran, and where the first of the results
    that are not finite goes back to (None if all are finite). As text it is a table."""

    output: Tree
    operations: tuple[Operation, ...]
    origin: Operation | None

    def __str__(self) -> str:
        return table(self.operations)


@dataclass(frozen=True)
class Debug(Engine):
    """Runs one primitive after another and tells of each: node, pass, shapes, statistics, NaN and Inf, time, source line.

    `nodes` is a pattern of the node paths to tell of (`*` stands for any text, `?` for any letter), with iterations or
    without: `stack_0/block*`, `*/block[2]/*`. `log` is where it tells: a function that takes an `Operation`, or the name of a
    file of JSON lines that holds at most `log_bytes` bytes (the latest records). With `stop_at_nonfinite` a result of the
    function that is not finite is a `DivergedError`, which names the operation that made the first NaN or infinity out of
    finite numbers; infinities that come to nothing, such as those of masks, pass. It is raised when the function has run to
    its end, since only then is known which infinities come to nothing.

    >>> import jax.numpy as jnp
    >>> def function(x):
    ...     with jax.named_scope("shift"):
    ...         y = x - 2
    ...     with jax.named_scope("root"):
    ...         return jnp.sqrt(y)
    >>> trace = Debug().trace(function, jnp.arange(4.0))
    >>> [(operation.node, operation.primitive, operation.outputs[0].nans) for operation in trace.operations]
    [('shift', 'sub', 0), ('root', 'sqrt', 2)]
    >>> Debug().compile(function)(jnp.arange(4.0))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    zerfoo_jax.core.errors.DivergedError: sqrt float32[4] -> float32[4] made 2 NaN and 0 infinities out of finite numbers
      at root, in the forward pass (...)
      fix: keep its inputs in range, or let it pass with stop_at_nonfinite: false
    """

    nodes: str = "*"
    stop_at_nonfinite: bool = True
    log: str | Callable[[Operation], None] | None = None
    log_bytes: PositiveInt = 2**26

    def compile(self, function: Function, *, donate: tuple[int, ...] = ()) -> Function:
        """The function watched at every call; raises `DivergedError` as `stop_at_nonfinite` says. Nothing is overwritten."""
        del donate  # each result is an array of its own
        program, calls = Program(function), count()

        def run(*arguments: Tree, **named: Tree) -> Tree:
            call = {"function": getattr(function, "__name__", ""), "call": next(calls)}
            with ExitStack() as opened:
                results, history = self._run(program, arguments, named, self._teller(opened, call))
            origin = history.origin(results) if self.stop_at_nonfinite else None
            if origin is not None:
                raise _diverged(origin, _named(results.arguments, history.sources(origin), (arguments, named)))
            return results.output

        return run

    def trace(self, function: Function, *arguments: Tree) -> Trace:
        """Runs the function once and gives all that was seen; it raises nothing at numbers that are not finite."""
        seen: list[Operation] = []
        results, history = replace(self, stop_at_nonfinite=True)._run(Program(function), arguments, {}, seen.append)
        return Trace(results.output, tuple(seen), history.origin(results))

    def writing_to(self, folder: Path) -> "Debug":
        """With `debug.jsonl` in the folder as its log, unless it has one."""
        return self if self.log else replace(self, log=str(folder / LOG))

    def _run(
        self,
        program: Program,
        arguments: tuple[Tree, ...],
        named: Mapping[str, Tree],
        tell: Callable[[Operation], None] | None,
    ) -> tuple[Results, History]:
        history = History()

        def watch(ran: Ran) -> None:
            told = tell if tell and not ran.only_moves and self._shows(ran) else None
            if self.stop_at_nonfinite or told:
                operation = operation_of(ran, statistics=told is not None)
                if self.stop_at_nonfinite:
                    history.add(operation)
                if told:
                    told(operation)

        return program.run(arguments, named, watch), history

    def _shows(self, ran: Ran) -> bool:
        scope, number = ran.place.scope, ran.number
        pattern = self.nodes.replace("[", "[[]")  # brackets are those of an iteration
        return any(fnmatchcase("/".join(scope.names(number, indices)), pattern) for indices in (ran.place.indices, ()))

    def _teller(self, opened: ExitStack, call: Mapping[str, Any]) -> Callable[[Operation], None] | None:
        if self.log is None or callable(self.log):
            return self.log
        journal = opened.enter_context(Journal(Path(self.log), self.log_bytes))
        return partial(_write, journal, call)


def _write(journal: Journal, call: Mapping[str, Any], operation: Operation) -> None:
    journal.write({**call, **operation.record()})


def _diverged(origin: Operation, bad: list[str]) -> DivergedError:
    nans, infs = (sum(getattr(x, kind) for x in origin.outputs) for kind in ("nans", "infs"))
    made = f"{origin.signature} made {nans} NaN and {infs} infinities"
    if all(x.finite for x in origin.inputs):
        fix = "keep its inputs in range, or let it pass with stop_at_nonfinite: false"
        return DivergedError(f"{made} out of finite numbers", place=origin.place, fix=fix)
    if not bad:
        fix = "look for a NaN or an infinity that is written in the code"
        return DivergedError(f"{made} out of a constant", place=origin.place, fix=fix)
    return DivergedError(
        f"argument {bad[0]!r} is not finite: {origin.signature} is the first to use it",
        place=origin.place,
        fix="look at the data, or where the parameters come from",
    )


def _named(leaves: Sequence[Value], marks: set[object], trees: tuple[Any, ...]) -> list[str]:
    """The paths of those leaves of the arguments that have one of these marks."""
    paths = [path for tree in trees for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
    bad = [path for path, leaf in zip(paths, leaves, strict=True) if leaf.summary(statistics=False).mark in marks]
    return [jax.tree_util.keystr(path, simple=True, separator="/") for path in bad]
