import numpy as np
import pytest
import scipy.stats

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.numeric.calibration import HALF, Histogram, calibration, divergence, entropy, minmax, observe, percentile


def seen(*batches):
    histogram = Histogram.empty()
    for batch in batches:
        histogram = observe(histogram, batch)
    return histogram


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_numpy_whatever_the_order_of_the_batches(seed):
    rng = np.random.default_rng(seed)
    batches = [rng.normal(size=(40, 7)), rng.normal(size=300) * 50, np.zeros(3), rng.uniform(-1e-3, 0, 100)]
    found, other = seen(*batches), seen(*reversed(batches))
    everything = np.concatenate([batch.ravel() for batch in batches])
    edges = (np.arange(2 * HALF + 1) - HALF) * found.width
    np.testing.assert_array_equal(found.counts, np.histogram(everything, edges)[0])
    np.testing.assert_array_equal(found.counts, other.counts)
    assert (found.low, found.high) == (other.low, other.high) == minmax(found, 128) == (everything.min(), everything.max())


@pytest.mark.parametrize("seed", range(3))
def test_the_percentile_is_that_of_numpy_within_a_bin(seed):
    x = np.random.default_rng(seed).standard_t(3, size=50_000)
    histogram = seen(x[:10_000], x[10_000:])
    low, high = percentile(histogram, 128)
    assert low <= np.sort(x)[5] < low + histogram.width and high - histogram.width <= np.sort(x)[-6] < high
    assert high < x.max() and low > x.min()


def test_the_divergence_is_scipys():
    magnitudes = np.random.default_rng(0).integers(0, 50, 300)
    magnitudes[150:] //= 25
    magnitudes[199] = 3
    bins, levels = 200, 16
    p = magnitudes[:bins].astype(float)
    p[-1] += magnitudes[bins:].sum()
    q = np.zeros(bins)
    for level in range(levels):
        at = [i for i in range(bins) if i * levels // bins == level and magnitudes[i]]
        q[at] = magnitudes[at].sum() / len(at) if at else 0
    assert divergence(magnitudes, bins, levels) == pytest.approx(scipy.stats.entropy(p, q), rel=1e-12)


def test_clipping_into_an_empty_bin_is_as_bad_as_losing_what_is_clipped():
    expected = scipy.stats.entropy([5, 1], [5, 1e-4])
    assert divergence(np.array([5, 0, 0, 1]), 2, 2) == pytest.approx(expected, rel=1e-12)
    assert divergence(np.array([0, 0, 0, 1]), 2, 2) == np.inf


def test_entropy_cuts_a_lone_outlier_off_and_keeps_even_numbers_whole():
    rng = np.random.default_rng(1)
    outlier = seen(np.append(rng.normal(size=100_000), 40.0))
    low, high = entropy(outlier, 128)
    assert 2.5 < high < 12 and low == max(-high, outlier.low)
    even = seen(rng.uniform(-1, 1, 100_000))
    low, high = entropy(even, 128)
    assert high > 0.97 and low < -0.97


@pytest.mark.parametrize("method", ["entropy", "minmax", "percentile"])
def test_one_sided_numbers_and_zeros_keep_zero_in_range(method):
    low, high = calibration(method)(seen(np.linspace(0, 3, 5000)), 128)
    assert low == 0 and 2.9 < high <= 3
    low, high = calibration(method)(seen(np.zeros(10)), 128)
    assert low <= 0 <= high and high < 1e-3
    low, high = calibration(method)(Histogram.empty(), 128)
    assert (low, high) == (0, 0)


def test_what_is_not_finite_and_unknown_ways_are_refused():
    with pytest.raises(DataError, match="not all finite"):
        seen(np.array([1.0, np.nan]))
    with pytest.raises(ConfigError, match="unknown calibration 'minmaxx'"):
        calibration("minmaxx")
