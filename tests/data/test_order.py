from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chisquare, norm

from zerfoo_jax.data.order import index_batches, shuffled, stream


@pytest.mark.parametrize("size", [*range(1, 40), 255, 256, 257, 10_000, 65_537])
def test_an_epoch_is_a_bijection(size):
    for seed, epoch in ((0, 0), (-1, 2**40), (2**63, 5)):
        np.testing.assert_array_equal(np.sort(shuffled(np.arange(size), size, seed, epoch)), np.arange(size))


def test_the_largest_size_stays_in_range_without_repeats():
    size = 2**40
    found = shuffled(np.arange(size - 50_000, size), size, 0, 0)
    assert len(np.unique(found)) == 50_000
    assert 0 <= found.min() < size // 1000 < size - size // 1000 < found.max() < size
    # The mean of uniform numbers is within four standard errors of the middle.
    assert abs(found.mean() / size - 0.5) < 4 / np.sqrt(12 * 50_000)


def test_any_piece_of_an_epoch_is_that_piece():
    whole = shuffled(np.arange(1000), 1000, 3, 4)
    np.testing.assert_array_equal(shuffled(np.array([999, 7, 500]), 1000, 3, 4), whole[[999, 7, 500]])


def test_epochs_per_position_agree_with_one_epoch():
    epochs = np.arange(50) % 7
    positions = np.arange(50) % 11
    expected = [shuffled(np.array([p]), 11, 9, int(e))[0] for p, e in zip(positions, epochs, strict=True)]
    assert shuffled(positions, 11, 9, epochs).tolist() == expected


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_orders_of_a_few_examples_are_as_frequent(size):
    epochs = np.arange(20_000)
    orders = np.stack([shuffled(np.full_like(epochs, i), size, 1, epochs) for i in range(size)], axis=1)
    counts = Counter(map(tuple, orders.tolist()))
    assert chisquare([counts[order] for order in permutations(range(size))]).pvalue > 1e-3


@pytest.mark.parametrize("size", [7, 16, 17, 50])
def test_every_example_is_as_likely_at_every_position_and_after_every_other(size):
    epochs = np.arange(200 * size)
    first, second = (shuffled(np.full_like(epochs, i), size, 2, epochs) for i in (0, 1))
    assert chisquare(np.bincount(first, minlength=size)).pvalue > 1e-3
    assert chisquare(np.bincount((second - first) % size, minlength=size)[1:]).pvalue > 1e-3


def test_orders_of_seeds_likewise():
    found = [int(shuffled(np.array([4]), 10, seed, 0)[0]) for seed in range(3000)]
    assert chisquare(np.bincount(found, minlength=10)).pvalue > 1e-3


@pytest.mark.parametrize("size", [10_000, 60_000])
def test_a_shuffle_looks_like_chance(size):
    found = shuffled(np.arange(size), size, 0, 0)
    bound = norm.isf(1e-4)
    for a, b in ((found, np.arange(size)), (found[1:], found[:-1]), (found, shuffled(np.arange(size), size, 0, 1))):
        assert abs(np.corrcoef(a, b)[0, 1]) * np.sqrt(size) < bound
    # Fixed points, and neighbours that stay neighbours, are Poisson with means 1 and 2.
    assert (found == np.arange(size)).sum() <= 8
    assert (np.abs(np.diff(found)) == 1).sum() <= 10


def test_seeds_and_epochs_differ():
    seen = {tuple(shuffled(np.arange(100), 100, seed, epoch)) for seed in range(10) for epoch in range(10)}
    assert len(seen) == 100


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_the_stream_has_every_example_once_per_epoch(size, shuffle):
    epochs = stream(0, 4 * size, size, 5, shuffle).reshape(4, size)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(size), (4, 1)))


@pytest.mark.parametrize("batch_size", [1, 7, 128, 10_000])
def test_batches_are_pieces_of_the_stream(batch_size):
    found = list(index_batches(30, batch_size, seed=1, shuffle=True, start=3, stop=8))
    assert [len(batch) for batch in found] == [batch_size] * 5
    np.testing.assert_array_equal(np.concatenate(found), stream(3 * batch_size, 5 * batch_size, 30, 1, True))
