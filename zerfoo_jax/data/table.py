"""Tables in text files: one example per row, numeric columns as inputs, one column as the target."""

from array import array
from collections.abc import Iterator, Sequence
from csv import Error as CsvError
from csv import reader
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from annotated_types import Len
import numpy as np

from zerfoo_jax.core.errors import DataError, nearest
from zerfoo_jax.data.baselines import majority_accuracy, mean_rmse
from zerfoo_jax.data.files import regular_file
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import EveryKth, every_kth


def csv(
    *,
    path: str,
    target: str,
    features: tuple[str, ...] | None = None,
    delimiter: Annotated[str, Len(1, 1)] = ",",
    held_out: EveryKth = 5,
    standardize: bool = True,
    kind: Literal["auto", "classification", "regression"] = "auto",
) -> Dataset:
    """A table with a header row: inputs (features,) float32; targets class ids int32, or (1,) float32 for a regression.

    Baselines on the validation part: always the commonest class, or always the training mean.

    Options:
        path: the file, in UTF-8.
        target: the column to predict. Its values, sorted, are the classes.
        features: the columns to predict from, all numeric; by default all but the target.
        delimiter: what stands between the columns.
        held_out: every so-manieth row is for validation.
        standardize: subtract every feature's mean over the training rows and divide by its standard deviation.
        kind: what the target is. "auto": text and whole numbers are classes, other numbers a regression.

    Raises `DataError` with file, line and column for cells that are missing, not numbers or not finite.
    """
    columns = _Columns(path, target, features, delimiter).read()
    inputs = columns.features()
    validation = np.arange(len(inputs)) % held_out == held_out - 1
    if standardize and len(inputs) >= held_out:
        std = inputs[~validation].std(axis=0)
        inputs = (inputs - inputs[~validation].mean(axis=0)) / np.where(std > 0, std, 1)
    inputs = inputs.astype(np.float32)
    numbers = columns.target_numbers()
    whole = numbers is not None and all(number.is_integer() for number in numbers)
    if kind == "classification" or (kind == "auto" and (numbers is None or whole)):
        ids, classes = _number_classes(columns.labels if numbers is None else numbers)
        parts = every_kth(ArraySource(inputs, ids), held_out)
        return Dataset(*parts, "classification", classes, majority_accuracy(ids[~validation], ids[validation]))
    if numbers is None:
        raise DataError(f"column {target!r} is text: no regression", place=path, fix="set kind: classification")
    values = np.array(numbers)[:, None]
    parts = every_kth(ArraySource(inputs, values.astype(np.float32)), held_out)
    return Dataset(*parts, "regression", baselines=mean_rmse(values[~validation], values[validation]))


def _number_classes(labels: Sequence[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class ids and names for labels, all text or all numbers, in their sorted order."""
    classes = sorted(set(labels))
    number_of = {label: i for i, label in enumerate(classes)}
    names = (str(int(c)) if isinstance(c, float) and c.is_integer() else str(c) for c in classes)
    return np.array([number_of[label] for label in labels], np.int32), tuple(names)


@dataclass
class _Columns:
    """The wanted columns of a file: features as numbers, row after row, and the target as it was written."""

    path: str
    target: str
    wanted: Sequence[str] | None
    delimiter: str
    names: list[str] = field(default_factory=list)
    numbers: array = field(default_factory=lambda: array("d"))
    labels: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def read(self) -> "_Columns":
        """Reads the whole file."""
        file_path = regular_file(self.path)
        with file_path.open(encoding="utf-8-sig", newline="") as file:
            rows = reader(self._plain_lines(file), delimiter=self.delimiter, strict=True)
            try:
                self._read_rows(rows)
            except (CsvError, UnicodeDecodeError) as error:
                raise DataError(f"not a table: {error}", place=f"{self.path}:{rows.line_num + 1}") from error
        if not self.labels:
            raise DataError("the table has no rows", place=self.path, fix="give a header row and rows below it")
        return self

    def _plain_lines(self, file: Iterator[str]) -> Iterator[str]:
        for number, line in enumerate(file, 1):
            if "\0" in line:
                raise DataError(
                    "a NUL byte: this is not text", place=f"{self.path}:{number}", fix="save the table as UTF-8 text"
                )
            yield line

    def _read_rows(self, rows: Iterator[list[str]]) -> None:
        header = [name.strip() for name in next(rows, [])]
        target, columns = self._find_columns(header)
        for row in rows:
            line = rows.line_num  # type: ignore[attr-defined]
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(f"{len(row)} cells where the header has {len(header)}", place=f"{self.path}:{line}")
            self.numbers.extend(self._number(row[i], line, header[i]) for i in columns)
            label = row[target].strip()
            if not label:
                raise DataError("an empty cell in the target column", place=f"{self.path}:{line}:{self.target}")
            self.labels.append(label)
            self.lines.append(line)

    def _find_columns(self, header: list[str]) -> tuple[int, list[int]]:
        twice = {name for name in header if header.count(name) > 1} if len(header) < 1000 else set()
        if not any(header) or twice:
            cause = f"the header has {', '.join(map(repr, sorted(twice)))} twice" if twice else "there is no header row"
            raise DataError(cause, place=f"{self.path}:1", fix="name every column once in the first row")
        self.names = [name for name in header if name != self.target] if self.wanted is None else list(self.wanted)
        for name in (self.target, *self.names):
            if name not in header:
                raise DataError(f"no column {name!r}", place=f"{self.path}:1", fix=nearest(name, header[:50]))
        return header.index(self.target), [header.index(name) for name in self.names]

    def _number(self, cell: str, line: int, column: str) -> float:
        value = _parse(cell)
        if value is None:
            raise DataError(
                f"{cell[:40]!r} is not a finite number",
                place=f"{self.path}:{line}:{column}",
                fix="fill or drop the row, or choose numeric columns with features: [...]",
            )
        return value

    def features(self) -> np.ndarray:
        """(rows, features) float64."""
        return np.array(self.numbers).reshape(len(self.labels), len(self.names))

    def target_numbers(self) -> list[float] | None:
        """The target as numbers, or None if it is text; a mixture is a `DataError` at the first cell of the rarer kind."""
        values = [_parse(label) for label in self.labels]
        numbers = [value for value in values if value is not None]
        if not numbers:
            return None
        if len(numbers) == len(values):
            return numbers
        text_is_odd = 2 * len(numbers) > len(values)
        odd = next(i for i, value in enumerate(values) if (value is None) == text_is_odd)
        raise DataError(
            f"{self.labels[odd][:40]!r} in a column that is otherwise {'numbers' if text_is_odd else 'text'}",
            place=f"{self.path}:{self.lines[odd]}:{self.target}",
            fix="write all targets as text or all as finite numbers",
        )


def _parse(cell: str) -> float | None:
    # Python's own number syntax goes further than a table's: 1_000 is refused.
    try:
        value = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        return None
    return value if isfinite(value) else None
