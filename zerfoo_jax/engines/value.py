"""The numbers that flow through an interpreted function, and what can be said of them."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True, eq=False)
class Summary:
    """Shape, dtype and statistics of an array. `mean`, `std` (of the population), `min` and `max` are those of its finite
    numbers, None if there are none; of complex numbers, those of their magnitudes."""

    dtype: str
    shape: tuple[int, ...]
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    nans: int = 0
    infs: int = 0

    @property
    def finite(self) -> bool:
        """Whether there is neither NaN nor infinity."""
        return not (self.nans or self.infs)

    @property
    def spec(self) -> str:
        """Dtype and shape as JAX writes them: `float32[3,4]`."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def summarize(x: Any) -> Summary:
    """The summary of an array, computed on the host.

    >>> summarize(np.array([1.0, 3.0, np.nan], np.float32))
    Summary(dtype='float32', shape=(3,), mean=2.0, std=1.0, min=1.0, max=3.0, nans=1, infs=0)
    """
    dtype = x.dtype if hasattr(x, "dtype") else np.result_type(x)
    name, shape = str(dtype), tuple(np.shape(x))
    if not (jnp.issubdtype(dtype, np.number) or jnp.issubdtype(dtype, np.bool_)):
        return Summary(name, shape)  # keys of random numbers
    numbers = np.asarray(x)
    if jnp.issubdtype(dtype, np.complexfloating):
        numbers = np.abs(numbers)
    numbers = numbers.astype(np.float64)
    nans = int(np.isnan(numbers).sum())
    infs = int(np.isinf(numbers).sum())
    finite = numbers[np.isfinite(numbers)] if nans or infs else numbers
    if not finite.size:
        return Summary(name, shape, nans=nans, infs=infs)
    with np.errstate(all="ignore"):
        mean, std, low, high = map(float, (finite.mean(), finite.std(), finite.min(), finite.max()))
    return Summary(name, shape, mean, std, low, high, nans, infs)


class Value:
    """An array on its way through a function; the same object wherever it is passed on unchanged."""

    __slots__ = ("_summary", "array")

    def __init__(self, array: Any):
        self.array = array
        self._summary: Summary | None = None

    @property
    def summary(self) -> Summary:
        """Its summary, computed when first asked for."""
        if self._summary is None:
            self._summary = summarize(self.array)
        return self._summary
