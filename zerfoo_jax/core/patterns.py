"""Patterns of paths: which layers or parameters are meant."""

from collections.abc import Sequence
from fnmatch import fnmatchcase


def matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path matches a pattern, both as lists of names. In a pattern names may hold `*`, `?` and `[...]`, and `**`
    stands for any number of names.

    >>> matches(["head", "dense_0", "kernel"], ["head", "**", "kern*"]), matches(["head"], ["*", "kernel"])
    (True, False)
    """
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(matches(names[i:], pattern[1:]) for i in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and matches(names[1:], pattern[1:])
