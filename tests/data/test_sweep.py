import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.data.source import ArraySource
from zerfoo_jax.data.sweep import sweep


@pytest.mark.parametrize(("size", "batch_size"), [(7, 3), (6, 3), (1, 1), (2, 5)])
def test_every_example_once_in_order_in_one_shape(size, batch_size):
    batches = list(sweep(ArraySource(np.arange(size), np.arange(size)), batch_size))
    assert {batch[name].shape for batch in batches for name in batch} == {(batch_size,)}
    targets, weights = (np.concatenate([batch[name] for batch in batches]) for name in ("targets", "weights"))
    assert targets[weights == 1].tolist() == list(range(size))
    assert targets[weights == 0].tolist() == [i % size for i in range(size, len(targets))]
    assert weights.dtype == np.float32


def test_bad_arguments():
    with pytest.raises(ConfigError, match="batch_size = 0"):
        sweep(ArraySource(np.arange(2), np.arange(2)), 0)
    with pytest.raises(DataError, match="no examples"):
        sweep(ArraySource(np.arange(0), np.arange(0)), 2)
