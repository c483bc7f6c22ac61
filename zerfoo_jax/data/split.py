"""Training and validation parts of one source, without copying it."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt
import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.fingerprint import fingerprint_of
from zerfoo_jax.data.source import Source

EveryKth = Annotated[int, Ge(2)]
"""One in so many examples is held out for validation."""
OpenFraction = Annotated[float, Gt(0), Lt(1)]
"""A part that leaves something on both sides."""


def held_rows(count: int, k: int) -> np.ndarray:
    """Which of `count` examples `every_kth` holds out, as a mask.

    >>> held_rows(5, 2).tolist()
    [False, True, False, True, False]
    """
    return np.arange(count) % k == k - 1


@dataclass(frozen=True, eq=False)
class Kept:
    """All examples but every `k`-th: 0 ... k-2, k ... 2k-2, ..."""

    whole: Source
    k: int

    def __len__(self) -> int:
        return len(self.whole) - len(self.whole) // self.k

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.whole.batch(indices + indices // (self.k - 1))

    def fingerprint(self) -> str:
        return fingerprint_of(self.whole.fingerprint(), f"all but every {self.k}th")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Every `k`-th example: k-1, 2k-1, ..."""

    whole: Source
    k: int

    def __len__(self) -> int:
        return len(self.whole) // self.k

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return self.whole.batch(indices * self.k + (self.k - 1))

    def fingerprint(self) -> str:
        return fingerprint_of(self.whole.fingerprint(), f"every {self.k}th")


def every_kth(whole: Source, k: int) -> tuple[Kept, HeldOut]:
    """The source in two parts: what is left, and every `k`-th example. Raises `DataError` if there are fewer than `k`.

    >>> from zerfoo_jax.data.source import ArraySource
    >>> kept, held_out = every_kth(ArraySource(np.arange(7), np.arange(7)), 3)
    >>> [part.batch(np.arange(len(part)))["inputs"].tolist() for part in (kept, held_out)]
    [[0, 1, 3, 4, 6], [2, 5]]
    """
    if len(whole) < k:
        raise DataError(f"{len(whole)} examples are too few to hold out every {k}th", fix="add examples or lower held_out")
    return Kept(whole, k), HeldOut(whole, k)
