"""The order of examples as a pure function of (seed, epoch, position): nothing is stored, so resuming at any step is free.

The permutation of an epoch is a generalised Feistel network over pairs (left, right) with `rows * columns >= size`: a round
adds a hash of one half to the other, modulo the other's range, which subtracting the same hash would undo. The network is
therefore a bijection of all pairs; positions that land outside `size` walk along their cycle until they come back inside
(Black & Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
"""

from collections.abc import Iterator
from math import isqrt

import numpy as np

MAX_SIZE = 2**40
_ROUNDS = 12
"""Enough for every order of a handful of examples to be about as frequent as any other, the hardest case."""
_CHUNK = 8192
"""Examples whose order is computed at once: enough to hide the cost of calling NumPy, few enough to stay in the cache."""


def shuffled(positions: np.ndarray, size: int, seed: int, epoch: int | np.ndarray) -> np.ndarray:
    """The examples (int64) that stand at `positions` (n,) of a shuffled epoch over `size` examples.

    `positions` are in [0, size), with `size` up to 2^40; `epoch` is one number, or one per position.

    >>> sorted(shuffled(np.arange(5), 5, seed=0, epoch=0).tolist())
    [0, 1, 2, 3, 4]
    """
    columns = isqrt(size - 1) + 1
    rows = -(-size // columns)
    keys = np.broadcast_to(_round_keys(seed, epoch), (_ROUNDS, len(positions)))
    found = _permute(positions, keys, rows, columns)
    while (outside := np.flatnonzero(found >= size)).size:
        found[outside] = _permute(found[outside], keys[:, outside], rows, columns)
    return found


def stream(first: int, count: int, size: int, seed: int, shuffle: bool) -> np.ndarray:
    """`count` examples (int64) of the endless stream of epochs, from global position `first` on.

    Position p is example p mod size of epoch p div size, so every example comes exactly once per epoch and a batch may
    straddle two epochs.

    >>> stream(3, 4, size=5, seed=0, shuffle=False).tolist()
    [3, 4, 0, 1]
    """
    positions = np.arange(first, first + count, dtype=np.int64)
    epochs = positions // size
    positions -= epochs * size
    if not shuffle:
        return positions
    return shuffled(positions, size, seed, int(epochs[0]) if epochs[0] == epochs[-1] else epochs)


def index_batches(
    size: int, batch_size: int, *, seed: int, shuffle: bool, start: int, stop: int | None
) -> Iterator[np.ndarray]:
    """The examples (batch_size,) of the batches of steps `start`, `start + 1`, ... below `stop` (None: endless)."""
    step, at_once = start, max(1, _CHUNK // batch_size)
    while stop is None or step < stop:
        steps = at_once if stop is None else min(at_once, stop - step)
        yield from stream(step * batch_size, steps * batch_size, size, seed, shuffle).reshape(steps, batch_size)
        step += steps


def _permute(positions: np.ndarray, keys: np.ndarray, rows: int, columns: int) -> np.ndarray:
    quotient = positions // columns  # with a multiplication, far faster than np.divmod
    left, right = quotient.astype(np.uint32), (positions - quotient * columns).astype(np.uint32)
    for round_, key in enumerate(keys):
        if round_ % 2:
            right = _add(right, _hash(left ^ key), columns)
        else:
            left = _add(left, _hash(right ^ key), rows)
    return left.astype(np.int64) * columns + right


def _add(half: np.ndarray, hashed: np.ndarray, span: int) -> np.ndarray:
    """(half + hashed scaled to [0, span)) mod span; the sum stays below 2^22, for halves of sizes up to 2^40."""
    total = half + ((hashed.astype(np.uint64) * np.uint64(span)) >> np.uint64(32)).astype(np.uint32)
    # Below zero wraps around to huge, so the minimum is the one that lies in range.
    return np.minimum(total, total - np.uint32(span))


def _hash(x: np.ndarray) -> np.ndarray:
    """A bijection of uint32 whose high bits, the ones in use, depend on all bits of `x` (odd multipliers of MurmurHash3)."""
    x = x * np.uint32(0x85EBCA6B)
    return (x ^ (x >> np.uint32(15))) * np.uint32(0xC2B2AE35)


def _round_keys(seed: int, epoch: int | np.ndarray) -> np.ndarray:
    """One uint32 key per round, and per epoch if there are several: (rounds, 1 or n)."""
    epochs = np.atleast_1d(np.asarray(epoch, np.int64)).astype(np.uint64)
    of_epoch = _mix(_mix(np.array([seed % 2**64], np.uint64)) ^ epochs)
    rounds = np.arange(1, _ROUNDS + 1, dtype=np.uint64)[:, None]
    return (_mix(of_epoch + rounds) >> np.uint64(32)).astype(np.uint32)


def _mix(x: np.ndarray) -> np.ndarray:
    """One output of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014) for the state `x`."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
