"""The numbers that flow through an interpreted function, and what can be said of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True, eq=False)
class Summary:
    """Shape, dtype and statistics of an array. `mean`, `std` (of the population), `min` and `max` are those of its finite
    numbers, None if there are none or if nobody asked; of complex numbers, those of their magnitudes. All summaries of one
    array have the same `mark`."""

    dtype: str
    shape: tuple[int, ...]
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    nans: int = 0
    infs: int = 0
    mark: object = field(default_factory=object, repr=False)

    @property
    def finite(self) -> bool:
        """Whether there is neither NaN nor infinity."""
        return not (self.nans or self.infs)

    @property
    def spec(self) -> str:
        """Dtype and shape as JAX writes them: `float32[3,4]`."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def summarize(x: Any, statistics: bool = True, mark: object = None) -> Summary:
    """The summary of an array, computed on the host; without `statistics` only whether it is finite.

    >>> summarize(np.array([1.0, 3.0, np.nan], np.float32))
    Summary(dtype='float32', shape=(3,), mean=2.0, std=1.0, min=1.0, max=3.0, nans=1, infs=0)
    """
    dtype = x.dtype if hasattr(x, "dtype") else np.result_type(x)
    inexact = jnp.issubdtype(dtype, jnp.inexact)
    summary = Summary(str(dtype), tuple(np.shape(x)), mark=mark or object())
    if not (inexact or (statistics and (jnp.issubdtype(dtype, np.integer) or jnp.issubdtype(dtype, np.bool_)))):
        return summary  # all integers are finite; keys of random numbers are no numbers at all
    numbers = np.asarray(x)
    if inexact and not np.isfinite(numbers).all():
        nans = np.isnan(numbers)
        infs = np.isinf(numbers) & ~nans
        summary = replace(summary, nans=int(nans.sum()), infs=int(infs.sum()))
        numbers = numbers[~(nans | infs)]
    return replace(summary, **_statistics(numbers)) if statistics and numbers.size else summary


def _statistics(numbers: Any) -> dict[str, float]:
    wide = np.abs(numbers.astype(np.complex128)) if np.iscomplexobj(numbers) else numbers.astype(np.float64)
    mean = wide.sum() / wide.size
    std = np.sqrt(np.square(wide - mean).sum() / wide.size)
    return {"mean": float(mean), "std": float(std), "min": float(wide.min()), "max": float(wide.max())}


class Value:
    """An array on its way through a function; the same object wherever it is passed on unchanged."""

    __slots__ = ("_full", "_summary", "array")

    def __init__(self, array: Any):
        self.array = array
        self._summary: Summary | None = None
        self._full = False

    def summary(self, statistics: bool = True) -> Summary:
        """Its summary, computed when first asked for."""
        if self._summary is None or (statistics and not self._full):
            self._summary = summarize(self.array, statistics, self._summary and self._summary.mark)
            self._full = statistics
        return self._summary
