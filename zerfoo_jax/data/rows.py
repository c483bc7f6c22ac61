"""Rows of text tables, read strictly: UTF-8, one header, as many cells in every row."""

from collections.abc import Iterable, Iterator, Sequence
from csv import Error as CsvError
from csv import reader
import lzma
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import DataError, nearest
from zerfoo_jax.data.files import regular_file


def read_rows(path: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the header, then of each row that is not empty; a name that ends in `.xz` is unpacked.

    Raises `DataError` with file and line for what is no table.
    """
    file_path = regular_file(path)
    opened = lzma.open if file_path.suffix == ".xz" else open
    with opened(file_path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = reader(_plain_lines(file, path), delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            _expect_header(header, path)
            yield 1, header
            for row in rows:
                if row and len(row) != len(header):
                    raise DataError(f"{len(row)} cells where the header has {len(header)}", place=f"{path}:{rows.line_num}")
                if row:
                    yield rows.line_num, row
        except (CsvError, UnicodeDecodeError, lzma.LZMAError, EOFError) as error:
            raise DataError(f"not a table: {error}", place=f"{path}:{rows.line_num + 1}") from error


def _plain_lines(file: Iterable[str], path: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if "\0" in line:
            raise DataError("a NUL byte: this is not text", place=f"{path}:{number}", fix="save the table as UTF-8 text")
        yield line


def _expect_header(header: Sequence[str], path: str) -> None:
    twice = {name for name in header if header.count(name) > 1} if len(header) < 1000 else set()
    if not any(header) or twice:
        cause = f"the header has {', '.join(map(repr, sorted(twice)))} twice" if twice else "there is no header row"
        raise DataError(cause, place=f"{path}:1", fix="name every column once in the first row")


def find_columns(header: Sequence[str], names: Sequence[str], path: str) -> list[int]:
    """Where the named columns stand; a name that the header lacks is a `DataError`."""
    for name in names:
        if name not in header:
            raise DataError(f"no column {name!r}", place=f"{path}:1", fix=nearest(name, header[:50]))
    return [header.index(name) for name in names]


def number_classes(labels: Sequence[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class ids and names for labels, all text or all numbers, in their sorted order."""
    classes = sorted(set(labels))
    number_of = {label: i for i, label in enumerate(classes)}
    names = (str(int(c)) if isinstance(c, float) and c.is_integer() else str(c) for c in classes)
    return np.array([number_of[label] for label in labels], np.int32), tuple(names)
