import jax
import numpy as np
import pytest

from zerfoo_jax.checkpoint.leaves import describe
from zerfoo_jax.checkpoint.manifest import LeafRecord
from zerfoo_jax.checkpoint.match import expect_match
from zerfoo_jax.core.errors import CheckpointError


def _records(leaves):
    described = {path: describe(leaf) for path, leaf in leaves.items()}
    return [LeafRecord(path=p, dtype=dtype, shape=shape, sha256="0" * 64) for p, (dtype, shape) in described.items()]


STORED = {
    "params/kernel": np.zeros((4, 3), np.float32),
    "params/bias": np.zeros(3, np.float32),
    "key": jax.random.key(0),
    "old": np.zeros((), np.int32),
}


def test_equal_trees_match():
    expect_match(5, _records(STORED), STORED)


def test_every_kind_of_difference_is_named_by_path():
    wanted = {
        "params/kernel": np.zeros((4, 5), np.float32),
        "params/bias": np.zeros(3, np.float16),
        "key": jax.random.key(0, impl="rbg"),
        "new": np.zeros(2, bool),
    }
    with pytest.raises(CheckpointError) as caught:
        expect_match(5, _records(STORED), wanted)
    assert str(caught.value).splitlines() == [
        "checkpoint 5 does not fit the state it is loaded into:",
        "  different dtype: key, stored as key<threefry2x32>[], wanted as key<rbg>[]",
        "  missing: new, wanted as bool[2]",
        "  unexpected: old, stored as int32[]",
        "  different dtype: params/bias, stored as float32[3], wanted as float16[3]",
        "  different shape: params/kernel, stored as float32[4, 3], wanted as float32[4, 5]",
        "  fix: was the model, its depth or the optimizer changed? restore with the old config, or start a new run",
    ]


def test_a_long_difference_is_cut():
    wanted = {f"layer_{i:02}": np.zeros(1) for i in range(25)}
    with pytest.raises(CheckpointError) as caught:
        expect_match(5, [], wanted)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 10 + 1 + 1 and lines[11] == "  and 15 more"
