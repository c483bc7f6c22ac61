"""Tables in text files: one example per row, numeric columns as inputs, one column as the target."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Literal

from annotated_types import Len
import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.baselines import majority_accuracy, mean_rmse
from zerfoo_jax.data.rows import find_columns, number_classes, read_rows
from zerfoo_jax.data.source import ArraySource, Dataset
from zerfoo_jax.data.split import EveryKth, every_kth, held_rows


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
    validation = held_rows(len(inputs), held_out)
    if standardize and len(inputs) >= held_out:
        std = inputs[~validation].std(axis=0)
        inputs = (inputs - inputs[~validation].mean(axis=0)) / np.where(std > 0, std, 1)
    inputs = inputs.astype(np.float32)
    numbers = columns.target_numbers()
    whole = numbers is not None and all(number.is_integer() for number in numbers)
    if kind == "classification" or (kind == "auto" and (numbers is None or whole)):
        ids, classes = number_classes(columns.labels if numbers is None else numbers)
        parts = every_kth(ArraySource(inputs, ids), held_out)
        return Dataset(*parts, "classification", classes, majority_accuracy(ids[~validation], ids[validation]))
    if numbers is None:
        raise DataError(f"column {target!r} is text: no regression", place=path, fix="set kind: classification")
    values = np.array(numbers)[:, None]
    parts = every_kth(ArraySource(inputs, values.astype(np.float32)), held_out)
    return Dataset(*parts, "regression", baselines=mean_rmse(values[~validation], values[validation]))


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
        rows = read_rows(self.path, self.delimiter)
        _, header = next(rows)
        self.names = [name for name in header if name != self.target] if self.wanted is None else list(self.wanted)
        target, *columns = find_columns(header, (self.target, *self.names), self.path)
        for line, row in rows:
            self.numbers.extend(self._number(row[i], line, header[i]) for i in columns)
            label = row[target].strip()
            if not label:
                raise DataError("an empty cell in the target column", place=f"{self.path}:{line}:{self.target}")
            self.labels.append(label)
            self.lines.append(line)
        if not self.labels:
            raise DataError("the table has no rows", place=self.path, fix="give a header row and rows below it")
        return self

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
