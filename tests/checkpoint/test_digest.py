import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.train_states import Moments
from zerfoo_jax.checkpoint import digest, leaf_digest


def test_a_leaf_digest_is_sha256_over_dtype_shape_and_bytes():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = hashlib.sha256(b"float32[2, 3]\n" + array.tobytes()).hexdigest()
    assert leaf_digest(array) == expected == leaf_digest(jnp.asarray(array))


def test_a_tree_digest_is_sha256_over_paths_and_leaf_digests():
    tree = {"b": np.ones(2), "a": {"ü": np.zeros(0, np.int8)}}
    text = f"4:a/ü{leaf_digest(tree['a']['ü'])}1:b{leaf_digest(tree['b'])}"
    assert digest(tree) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.array([0.0, 2.0], np.float32)},
        {"a": np.array([-0.0, 1.0], np.float32)},
        {"a": np.array([0.0, 1.0], np.float32).view(np.int32)},
        {"a": np.array([[0.0, 1.0]], np.float32)},
        {"b": np.array([0.0, 1.0], np.float32)},
        {"a": np.array([0.0, 1.0], np.float32), "b": np.zeros((0,))},
        {"a": {"a": np.array([0.0, 1.0], np.float32)}},
        {},
    ],
)
def test_any_difference_changes_the_digest(other):
    assert digest(other) != digest({"a": np.array([0.0, 1.0], np.float32)})


def test_class_order_layout_and_byte_order_do_not_change_the_digest():
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    reference = digest({"count": np.ones(2), "mu": array})
    assert digest({"mu": np.asfortranarray(array), "count": np.ones(2), "none": None}) == reference
    assert digest(Moments(np.ones(2), array.astype(">f4"), None)) == reference


def test_sharding_does_not_change_the_digest():
    mesh = jax.make_mesh((8,), ("data",))
    array = jnp.arange(16.0)
    spread = jax.device_put(array, jax.NamedSharding(mesh, jax.P("data")))
    assert leaf_digest(spread) == leaf_digest(array)


def test_keys_differ_by_data_and_by_implementation():
    keys = [jax.random.key(0), jax.random.key(1), jax.random.key(0, impl="rbg"), jax.random.key_data(jax.random.key(0))]
    assert len({leaf_digest(key) for key in keys}) == 4
    assert leaf_digest(jax.random.key(0)) == leaf_digest(jax.random.key(0))
