"""Every example once, in order, in batches of one shape: for evaluation."""

from collections.abc import Iterator

import numpy as np

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.core.types import Batch
from zerfoo_jax.data.loader import Place, to_device
from zerfoo_jax.data.source import Source


def sweep(source: Source, batch_size: int, place: Place = to_device) -> Iterator[Batch]:
    """Batches with `weights` (batch_size,) float32: 1 for an example, 0 for the repeated rows that fill the last batch.

    Raises `ConfigError` for a batch size below 1 and `DataError` for a source without examples.

    >>> from zerfoo_jax.data.source import ArraySource
    >>> [batch["weights"].tolist() for batch in sweep(ArraySource(np.arange(5), np.arange(5)), 3)]
    [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    """
    if batch_size < 1:
        raise ConfigError(f"batch_size = {batch_size}: should be at least 1", place="batch_size")
    if not len(source):
        raise DataError("the source has no examples to evaluate", fix="check the data's path and split")
    return _batches(source, batch_size, place)


def _batches(source: Source, batch_size: int, place: Place) -> Iterator[Batch]:
    size = len(source)
    for start in range(0, size, batch_size):
        positions = np.arange(start, start + batch_size)
        weights = (positions < size).astype(np.float32)
        yield place({**source.batch(positions % size), "weights": weights})
