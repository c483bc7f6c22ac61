"""Which range of numbers codes should span, from a histogram of the numbers that were seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError, nearest

HALF = 2048
"""Bins on either side of zero."""

OUTSIDE = 1e-4
"""The share of the numbers that a percentile leaves out at either end."""

EMPTY = 1e-4
"""What stands for no number where a logarithm is taken."""

_COARSENESS = 8


@dataclass(frozen=True)
class Histogram:
    """How many numbers were seen in each bin [i · width, (i + 1) · width), i = -2048 ... 2047, and their exact ends."""

    counts: Any
    width: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def empty(cls) -> "Histogram":
        """Of no numbers yet."""
        return cls(np.zeros(2 * HALF, np.int64))


def observe(histogram: Histogram, values: Any) -> Histogram:
    """The histogram with further numbers; where they reach beyond it, bins are joined in pairs until it holds them.

    Raises `DataError` for numbers that are not finite.

    >>> seen = observe(observe(Histogram.empty(), np.array([0.5, -1.0])), np.array([30.0]))
    >>> int(seen.counts.sum()), seen.low, seen.high
    (3, -1.0, 30.0)
    """
    values = np.asarray(values, np.float64).ravel()
    if not len(values):
        return histogram
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise DataError("numbers to calibrate on are not all finite", fix="look for NaN and Inf in the data and the model")
    counts, width = histogram.counts, histogram.width
    seen = counts.any()
    reach = max(-low, high)
    if width == 0.0 and reach > 0:
        # A power of two, so that the same numbers in another order fall into the same bins.
        width = float(2.0 ** np.ceil(np.log2(reach / HALF)))
    while reach >= width * HALF and reach > 0:
        counts, width = np.pad(counts.reshape(HALF, 2).sum(axis=1), HALF // 2), 2 * width
    places = np.floor(values / width).astype(np.int64) + HALF if width else np.full(len(values), HALF)
    counts = counts + np.bincount(places, minlength=2 * HALF)
    return Histogram(counts, width, min(low, histogram.low) if seen else low, max(high, histogram.high) if seen else high)


def minmax(histogram: Histogram, levels: int) -> tuple[float, float]:
    """The smallest and the largest number seen."""
    del levels
    return histogram.low, histogram.high


def percentile(histogram: Histogram, levels: int) -> tuple[float, float]:
    """Between what 0.01 % of the numbers are below and what 0.01 % are above, within a bin's width; never past zero."""
    del levels
    beyond = int(histogram.counts.sum() * OUTSIDE)
    edges = (np.arange(2 * HALF + 1) - HALF) * histogram.width
    low = edges[np.argmax(np.cumsum(histogram.counts) > beyond)]
    high = edges[2 * HALF - np.argmax(np.cumsum(histogram.counts[::-1]) > beyond)]
    return _within(histogram, low, high)


def entropy(histogram: Histogram, levels: int) -> tuple[float, float]:
    """The threshold T of least Kullback-Leibler divergence between the magnitudes clipped at T and their `levels` codes.

    As TensorRT does it (Migacz, "8-bit inference with TensorRT", GTC 2017): T runs over multiples of eight bins; what is above
    counts to the last bin; a level's numbers are spread evenly over those of its bins that are not empty.
    """
    magnitudes = histogram.counts[HALF:] + histogram.counts[:HALF][::-1]
    candidates = range(min(levels, HALF), HALF + 1, _COARSENESS)
    best = min(candidates, key=lambda bins: divergence(magnitudes, bins, levels))
    return _within(histogram, -best * histogram.width, best * histogram.width)


def divergence(magnitudes: Any, bins: int, levels: int) -> float:
    """KL(P || Q) of a histogram clipped to so many bins, P, and of what `levels` codes keep of it, Q.

    A last bin that is empty but for what is clipped counts 10⁻⁴ numbers in Q; with nothing but that, it is infinite.

    >>> divergence(np.ones(8), 8, 4)
    0.0
    """
    kept = magnitudes[:bins]
    clipped = kept.astype(np.float64)
    clipped[-1] += magnitudes[bins:].sum()
    level = np.arange(bins) * levels // bins
    sums, filled = np.bincount(level, kept, levels), np.bincount(level, kept > 0, levels)
    spread = np.where(kept > 0, sums[level] / np.maximum(filled[level], 1), 0.0)
    if not spread.any():
        return float("inf")
    spread = np.where((clipped > 0) & (spread == 0), EMPTY, spread)
    p, q = clipped / clipped.sum(), spread / spread.sum()
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / q[there])))


CALIBRATIONS: dict[str, Callable[[Histogram, int], tuple[float, float]]] = {
    "entropy": entropy,
    "minmax": minmax,
    "percentile": percentile,
}
"""Ways to choose the range (low, high) for a number of positive levels."""


def calibration(name: str) -> Callable[[Histogram, int], tuple[float, float]]:
    """The way of that name; `ConfigError` for any other."""
    if name not in CALIBRATIONS:
        raise ConfigError(f"unknown calibration {name!r}", fix=nearest(str(name), CALIBRATIONS))
    return CALIBRATIONS[name]


def _within(histogram: Histogram, low: float, high: float) -> tuple[float, float]:
    return max(float(low), min(histogram.low, 0.0)), min(float(high), max(histogram.high, 0.0))
