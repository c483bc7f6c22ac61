import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from zerfoo_jax.checkpoint.leaves import by_path, describe, place, rebuild, snapshot
from zerfoo_jax.core.errors import CheckpointError


def test_paths_do_not_depend_on_classes():
    state = optax.adamw(1e-3).init({"dense_0": {"kernel": jnp.ones((2, 3))}})
    assert list(by_path({"opt_state": state})) == [
        "opt_state/0/count",
        "opt_state/0/mu/dense_0/kernel",
        "opt_state/0/nu/dense_0/kernel",
    ]


def test_leaves_with_the_same_path_are_refused():
    with pytest.raises(CheckpointError, match=r"same path\n  at a/b"):
        by_path({"a": {"b": 1}, "a/b": 2})


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg"])
def test_keys_are_described_alike_concrete_and_abstract(implementation):
    make = lambda: jax.random.split(jax.random.key(0, impl=implementation), 3)  # noqa: E731
    assert describe(make()) == describe(jax.eval_shape(make)) == (f"key<{implementation}>", (3,))


def test_python_numbers_are_what_jax_makes_of_them():
    held = snapshot({"b": True, "i": 3, "f": 0.5})
    assert {path: (leaf.dtype, leaf.shape) for path, leaf in held.items()} == {
        "b": ("bool", ()),
        "f": ("float32", ()),
        "i": ("int32", ()),
    }


@pytest.mark.parametrize("leaf", ["text", object(), np.array(["a"]), np.array([None]), np.array([1], "datetime64[s]"), 2**40])
def test_what_is_no_array_of_numbers_is_refused_by_path(leaf):
    with pytest.raises(CheckpointError, match="at a/bad"):
        snapshot({"a": {"bad": leaf}, "good": np.ones(2)})


def test_a_snapshot_survives_donation_and_mutation():
    donating = jax.jit(lambda x: x * 2, donate_argnums=0)
    array, buffer = jnp.arange(100_000.0), np.arange(5.0)
    held = snapshot({"jax": array, "numpy": buffer})
    donating(array).block_until_ready()
    buffer[:] = -1
    assert array.is_deleted()
    np.testing.assert_array_equal(held["jax"].data, np.arange(100_000, dtype=np.float32))
    np.testing.assert_array_equal(held["numpy"].data, np.arange(5.0))


def test_a_snapshot_shares_no_memory_with_a_jax_array():
    array = jnp.arange(100_000.0)
    assert not np.shares_memory(snapshot(array)[""].data, np.asarray(array))


def test_an_array_spread_over_processes_is_refused(monkeypatch):
    array = jnp.ones(3)
    monkeypatch.setattr(type(array), "is_fully_addressable", property(lambda self: False))
    with pytest.raises(CheckpointError, match="spread over several processes"):
        snapshot({"kernel": array})


def test_placing_follows_the_sharding_of_the_target():
    sharding = jax.NamedSharding(jax.make_mesh((8,), ("data",)), jax.P("data"))
    data = np.arange(16, dtype=np.float32)
    for like in (jax.ShapeDtypeStruct((16,), jnp.float32, sharding=sharding), jax.device_put(jnp.zeros(16), sharding)):
        placed = place(data, like)
        assert placed.sharding == sharding
        np.testing.assert_array_equal(placed, data)
    keys = jax.device_put(jax.random.split(jax.random.key(5), 16), sharding)
    placed = place(np.asarray(jax.random.key_data(keys)), keys)
    assert placed.sharding == sharding and bool((placed == keys).all())


def test_placing_keeps_uncommitted_arrays_uncommitted():
    data = np.zeros(2, np.float32)
    committed = jax.device_put(jnp.zeros(2), jax.devices()[3])
    assert place(data, committed).devices() == {jax.devices()[3]} and place(data, committed).committed
    assert not place(data, jnp.zeros(2)).committed


def test_placing_keeps_numpy_arrays_numpy_and_never_narrows():
    data = np.array([2**40], np.int64)
    assert isinstance(place(data, np.zeros(1, np.int64)), np.ndarray)
    assert isinstance(place(np.asarray(1.5), np.float64(0)), np.float64)
    with pytest.raises(CheckpointError, match="narrow int64"):
        place(data, jax.ShapeDtypeStruct((1,), np.int64))


def test_rebuilding_fills_each_leaf_by_its_path():
    target = {"b": (jnp.zeros(2), None), "a": jnp.zeros((), jnp.int32)}
    built = rebuild(target, {"a": np.asarray(7, np.int32), "b/0": np.ones(2, np.float32)})
    assert int(built["a"]) == 7 and built["b"][0].tolist() == [1.0, 1.0] and built["b"][1] is None
