"""Windows over a long row of token ids: the data of language models."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.data.files import regular_file
from zerfoo_jax.data.fingerprint import fingerprint_of
from zerfoo_jax.data.npy import map_npy
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.data.split import OpenFraction


@dataclass(frozen=True, eq=False)
class TokenSource:
    """Row i is tokens i*length ... (i+1)*length: `inputs` (n, length) without the last, `targets` without the first, int32.

    Every token but the first is predicted once. `vocab_size`, if given, bounds the ids: a batch with a larger one is a
    `DataError`. Tokens (any integer dtype, one axis) may be memory-mapped.

    >>> TokenSource(np.arange(8), 3).batch(np.array([1]))
    {'inputs': array([[3, 4, 5]], dtype=int32), 'targets': array([[4, 5, 6]], dtype=int32)}
    """

    tokens: np.ndarray
    length: int
    vocab_size: int | None = None
    place: str = ""
    _rows: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.tokens) <= self.length:
            raise DataError(
                f"{len(self.tokens)} tokens are too few for a sequence of {self.length} and the token after it",
                place=self.place,
                fix="shorten sequence_length or give more text",
            )
        rows = np.lib.stride_tricks.sliding_window_view(self.tokens, self.length + 1)[:: self.length]
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        rows = self._rows[indices]
        # Compared before the conversion, which would wrap huge ids around.
        limit = 2**31 if self.vocab_size is None else self.vocab_size
        if rows.size and (rows.max() >= limit or rows.min() < 0):
            self._refuse(rows, limit)
        rows = rows.astype(np.int32)
        return {"inputs": rows[:, :-1], "targets": rows[:, 1:]}

    def _refuse(self, rows: np.ndarray, limit: int) -> None:
        worst = rows.max() if rows.max() >= limit else rows.min()
        raise DataError(f"token id {worst} is not in 0..{limit - 1}", place=self.place, fix="check dtype and vocab_size")

    def fingerprint(self) -> str:
        return fingerprint_of(self.tokens, f"windows of {self.length}")


def tokens(
    *,
    path: str,
    sequence_length: PositiveInt,
    dtype: Literal["uint8", "uint16", "uint32", "int32"] = "uint16",
    vocab_size: PositiveInt | None = None,
    validation_fraction: OpenFraction = 0.05,
) -> Dataset:
    """A file of token ids, memory-mapped: inputs and targets (sequence_length,) int32, the targets one token ahead.

    Options:
        path: a .npy file of one axis, or any other name: little-endian ids one after another without a header.
        sequence_length: tokens per example. Examples do not overlap.
        dtype: of the ids in a file without a header.
        vocab_size: ids must lie below it; a batch with a larger one is a `DataError`.
        validation_fraction: the last part of the tokens is for validation.

    Raises `DataError` for a file that is missing, damaged or too short.
    """
    row = map_npy(path) if path.endswith(".npy") else _map_raw(path, np.dtype(dtype).newbyteorder("<"))
    if row.ndim != 1 or row.dtype.kind not in "iu":
        raise DataError(
            f"{row.dtype}{list(row.shape)} is not one row of token ids", place=path, fix="save integers of one axis"
        )
    split = round(len(row) * (1 - validation_fraction))
    train, validation = (TokenSource(part, sequence_length, vocab_size, path) for part in (row[:split], row[split:]))
    return Dataset(train, validation, "language", vocab_size=vocab_size)


def _map_raw(path: str, dtype: np.dtype) -> np.ndarray:
    size = regular_file(path).stat().st_size
    if not size or size % dtype.itemsize:
        raise DataError(
            f"{size:,} bytes are not a whole number of {dtype.itemsize}-byte ids",
            place=path,
            fix="check dtype; is the file cut short?",
        )
    try:
        return np.asarray(np.memmap(path, dtype, "r"))
    except OSError as error:
        raise DataError(f"cannot read {path!r}: {error.strerror or error}", place=path) from error
