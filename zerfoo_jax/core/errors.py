"""Errors that say what is wrong, where, and the way out.

Every error a user can cause is a `ZerfooError` holding one or more `Problem`s. A check that can find several faults collects
them all and raises once, so that a person mends a file in one pass.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
import difflib
from functools import lru_cache
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One fault: its cause, its place (`file:line:col` or node path) and the way out."""

    cause: str
    place: str = ""
    fix: str = ""

    def under(self, prefix: str) -> "Problem":
        """The same fault seen from one level further out: `prefix` goes in front of its place."""
        return replace(self, place=join_path(prefix, self.place))

    def __str__(self) -> str:
        lines = [self.cause]
        if self.place:
            lines.append(f"  at {self.place}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class ZerfooError(Exception):
    """Base of all errors raised on purpose; carries every `Problem` found."""

    def __init__(self, cause: str | Sequence[Problem], *, place: str = "", fix: str = ""):
        self.problems = (Problem(cause, place, fix),) if isinstance(cause, str) else tuple(cause)
        super().__init__(str(self))

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        listed = "\n".join(f"{i}. {problem}" for i, problem in enumerate(self.problems[:MAX_LISTED], 1))
        more = f"\nand {len(self.problems) - MAX_LISTED} more" if len(self.problems) > MAX_LISTED else ""
        return f"{len(self.problems)} problems:\n{listed}{more}"


class ConfigError(ZerfooError):
    """A value in a config file, on the command line or in a constructor is not acceptable."""


class ShapeError(ZerfooError):
    """Array shapes or dtypes do not fit together."""


class GraphError(ZerfooError):
    """Nodes of a graph are wired wrongly."""


class DataError(ZerfooError):
    """A data source cannot be read or holds something unexpected."""


class CheckpointError(ZerfooError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class FormatError(ZerfooError):
    """A model file is malformed or hostile."""


class EngineError(ZerfooError):
    """An engine is missing or cannot run a function."""


class DivergedError(ZerfooError):
    """A computation produced NaN or Inf and is to stop there."""


class DistributedError(ZerfooError):
    """Processes could not be brought together or fell apart."""


def join_path(prefix: str, path: str) -> str:
    """Joins two node paths with `/`; either may be empty."""
    return f"{prefix}/{path}" if prefix and path else prefix or path


MAX_LISTED = 40


def nearest(name: Any, known: Iterable[str]) -> str:
    """The way out for an unknown name: the likely spelling if there is one, and what exists.

    >>> nearest("Dens", ["Dense", "Flatten"])
    "did you mean 'Dense'? known: Dense, Flatten"
    """
    known = sorted(known)
    close = _close(str(name), tuple(known))
    hint = f"did you mean {close[0]!r}? " if close else ""
    more = f", and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"{hint}known: {', '.join(known[:MAX_LISTED]) or 'none'}{more}"


@lru_cache
def _close(name: str, known: tuple[str, ...]) -> list[str]:
    return difflib.get_close_matches(name, known, n=1, cutoff=0.6)


def brief(value: Any) -> str:
    """A value as Python writes it, short enough for a sentence."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of over some 4,300 digits
        return f"a very long {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}..."
