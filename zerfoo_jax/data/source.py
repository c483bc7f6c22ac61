"""What a data set is: two sources that give batches by index, and what is known about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.fingerprint import fingerprint_of

Kind = Literal["classification", "language", "regression"]
"""Class ids per example, token ids per position, or floating-point values to predict."""


class Source(Protocol):
    """Examples by index, a whole batch per call."""

    def __len__(self) -> int:
        """The number of examples."""
        ...

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples at `indices` (n,): `inputs` (n, ...) and `targets` (n, ...), freshly allocated."""
        ...

    def fingerprint(self) -> str:
        """A short identity of the examples and their order, the same on every machine and run."""
        ...


@dataclass(frozen=True)
class Dataset:
    """A training and a validation part. `baselines` are scores of simple predictors on the validation part.

    `classes` names the class ids 0, 1, ... where there are any; token ids of a language lie below `vocab_size`. A normalised
    target times `scale`, plus `offset`, is in its own unit.
    """

    train: Source
    validation: Source
    kind: Kind
    classes: tuple[str, ...] = ()
    baselines: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0
    vocab_size: int | None = None

    def fingerprint(self) -> str:
        """A short identity of both parts."""
        return f"{self.train.fingerprint()}/{self.validation.fingerprint()}"


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Examples along the first axis of two arrays, in memory or memory-mapped, of any strides.

    Batches keep the arrays' dtypes where an accelerator has them; 64-bit numbers become 32-bit ones, and integers that do
    not fit are a `DataError`.

    >>> source = ArraySource(np.zeros((5, 2), np.uint8), np.arange(5))
    >>> source.batch(np.array([3, 0]))["targets"]
    array([3, 0], dtype=int32)
    """

    inputs: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        for name in ("inputs", "targets"):
            array = np.asarray(getattr(self, name))
            object.__setattr__(self, name, array)
            if array.dtype.kind not in "biuf" or array.ndim == 0:
                raise DataError(
                    f"{name} of dtype {array.dtype} and shape {array.shape} are no examples",
                    fix="give arrays of numbers with the examples along the first axis",
                )
        if len(self.inputs) != len(self.targets):
            raise DataError(
                f"{len(self.inputs)} inputs but {len(self.targets)} targets",
                fix="give as many targets as inputs, in the same order",
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        return {"inputs": narrow(self.inputs[indices], "inputs"), "targets": narrow(self.targets[indices], "targets")}

    def fingerprint(self) -> str:
        return fingerprint_of(self.inputs, self.targets)


def narrow(array: np.ndarray, name: str) -> np.ndarray:
    """The array in the machine's byte order and at most 32 bits per number, unless an integer would not fit (`DataError`)."""
    if array.dtype.itemsize <= 4:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    limits = np.iinfo(np.int32)
    if array.size and (array.max() > limits.max or array.min() < limits.min):
        raise DataError(f"{name} hold {array.dtype} numbers beyond 32 bits", fix="store ids that fit int32")
    return array.astype(np.int32)
