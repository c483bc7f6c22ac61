"""A model in several files: a main one, and those beside it that it names. At any moment the main file finds its own.

A part of the content's digest is in the names of the files beside, so that none is ever replaced by one of another content:

    within `replacing`    each file beside is written, by the function that it gives
                          then the main file takes the place of the one before, whole
    at its end            the files go that only the one before named
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
import hashlib
from pathlib import Path
import re
from typing import Any

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.files import write_whole

DIGEST = "[0-9a-f]{16}"
"""The part of a digest in a name: 64 bits of SHA-256."""


WriteBeside = Callable[[str, str, Iterable[Any]], str]
"""Writes bytes, portion by portion, to a file whose name has their digest between a start and an end; gives that name."""

NamedIn = Callable[[Path], Iterable[str]]
"""The names of files beside it that a main file holds. Raises `FormatError` for what cannot be read."""


@contextmanager
def replacing(main: Path, extension: str, pattern: str, named_in: NamedIn) -> Iterator[WriteBeside]:
    """Within it a main file is written, after the files beside it, for which it gives the function.

    At its end files go that no main file in the folder names, which are all of this extension: those that the main file of
    before named, as far as a writer might have given them these names, which is what the regular expression `pattern` says; and
    where something went wrong those that were written.
    """
    before = {name for name in _names(main, named_in) if re.fullmatch(pattern, name)}
    written: list[str] = []

    def write_beside(start: str, end: str, portions: Iterable[Any]) -> str:
        written.append(_write_beside(main.parent, start, end, portions))
        return written[-1]

    try:
        yield write_beside
    finally:
        for name in _unnamed(before.union(written), main, extension, named_in):
            main.with_name(name).unlink(missing_ok=True)


def _write_beside(folder: Path, start: str, end: str, portions: Iterable[Any]) -> str:
    digest = hashlib.sha256()

    def final() -> Path:
        return folder / f"{start}{digest.hexdigest()[:16]}{end}"

    with write_whole(folder / f"{start}{end}", final) as file:
        for portion in portions:
            digest.update(portion)
            file.write(portion)
    return final().name


def _unnamed(names: set[str], main: Path, extension: str, named_in: NamedIn) -> set[str]:
    """Those that neither the main file nor any other in its folder names."""
    names = names - _names(main, named_in)
    others = (path for path in main.parent.iterdir() if path.name.endswith(extension)) if names else ()
    return names.difference(*(_names(path, named_in) for path in others))


def _names(main: Path, named_in: NamedIn) -> set[str]:
    try:
        return set(named_in(main)) if main.is_file() else set()
    except FormatError:  # what cannot be read names nothing
        return set()
