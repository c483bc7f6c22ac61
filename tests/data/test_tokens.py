import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.tokens import TokenSource, tokens


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int32"])
@pytest.mark.parametrize("suffix", [".bin", ".npy"])
def test_targets_are_one_ahead_and_every_token_but_the_first_is_a_target_once(tmp_path, dtype, suffix):
    row = np.random.default_rng(0).integers(0, 250, 101).astype(dtype)
    path = tmp_path / f"t{suffix}"
    np.save(path, row) if suffix == ".npy" else row.tofile(path)
    data = tokens(path=str(path), sequence_length=7, dtype=dtype, validation_fraction=0.3)
    for part, piece in ((data.train, row[:71]), (data.validation, row[71:])):
        batch = part.batch(np.arange(len(part)))
        rows = (len(piece) - 1) // 7
        np.testing.assert_array_equal(batch["inputs"].ravel(), piece[: 7 * rows])
        np.testing.assert_array_equal(batch["targets"].ravel(), piece[1 : 7 * rows + 1])
        assert batch["inputs"].dtype == np.int32


def test_ids_outside_the_vocabulary():
    source = TokenSource(np.array([1, 2, 3, 9, 1, 2], np.uint16), 2, vocab_size=9)
    source.batch(np.array([0]))
    with pytest.raises(DataError, match=r"token id 9 is not in 0\.\.8"):
        source.batch(np.array([0, 1]))
    with pytest.raises(DataError, match="token id -1"):
        TokenSource(np.array([1, -1, 3]), 2).batch(np.array([0]))
    with pytest.raises(DataError, match="token id 4294967295"):
        TokenSource(np.array([1, 2**32 - 1, 3], np.uint32), 2).batch(np.array([0]))
