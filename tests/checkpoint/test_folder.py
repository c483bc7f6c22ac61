"""What is stored is what was saved, for every kind of leaf."""

import json

import flax.struct
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest

from tests.support.train_states import Moments, state_at
from zerfoo_jax.checkpoint import Checkpoints, DamagedError, digest, folder
from zerfoo_jax.checkpoint.folder import read_checkpoint

DTYPES = [
    *("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "float32", "complex64"),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2),
]


@flax.struct.dataclass
class Wrapped:
    inner: object
    label: str = flax.struct.field(pytree_node=False, default="static")


def _round_trip(tmp_path, tree, target=None):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(3, tree)
        return checkpoints.restore(tree if target is None else target).tree


def _abstract(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def test_every_dtype_and_rank_comes_back_bit_for_bit(tmp_path):
    random = np.random.default_rng(1)
    shapes = [(), (1,), (7,), (0,), (3, 0, 2), (2, 3, 5)]
    # Random bits, so that NaN payloads, infinities and negative zeros are among them.
    tree = {
        np.dtype(dtype).name: [jnp.asarray(_random_bits(random, shape, np.dtype(dtype))) for shape in shapes]
        for dtype in DTYPES
    }
    for target in (tree, _abstract(tree)):
        restored = _round_trip(tmp_path, tree, target)
        assert jax.tree.structure(restored) == jax.tree.structure(tree)
        for got, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(tree), strict=True):
            assert isinstance(got, jax.Array) and got.dtype == wanted.dtype and got.shape == wanted.shape
            assert np.asarray(got).tobytes() == np.asarray(wanted).tobytes()


def _random_bits(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "b":
        return random.random(shape) < 0.5
    size = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(random.bytes(size), dtype).reshape(shape)


def test_keys_of_every_implementation_come_back(tmp_path):
    tree = {
        "one": jax.random.key(7),
        "many": jax.random.split(jax.random.key(8, impl="rbg"), (2, 3)),
        "none": jax.random.split(jax.random.key(8), 5)[:0],
    }
    for target in (tree, jax.eval_shape(lambda: tree)):
        restored = _round_trip(tmp_path, tree, target)
        assert digest(restored) == digest(tree)
        assert restored["many"].dtype == tree["many"].dtype and restored["none"].shape == (0,)
    assert float(jax.random.normal(restored["one"])) == float(jax.random.normal(tree["one"]))


def test_an_optimizer_continues_as_if_nothing_had_happened(tmp_path):
    optimizer = optax.adamw(1e-2)
    params = {"dense_0": {"kernel": jnp.linspace(-1.0, 1.0, 6).reshape(2, 3), "bias": jnp.ones(3)}}

    @jax.jit
    def step(params, opt_state):
        grads = jax.tree.map(jnp.sin, params)
        with jax.numpy_dtype_promotion("standard"):  # as optax needs it
            updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    state = step(params, optimizer.init(params))
    restored = _round_trip(tmp_path, state, jax.eval_shape(lambda: state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert digest(step(*restored)) == digest(step(*state))


def test_classes_with_the_same_paths_are_interchangeable(tmp_path):
    kernel = jnp.ones((2, 3))
    restored = _round_trip(tmp_path, Wrapped(Moments(1, kernel, None)), {"inner": {"count": 0, "mu": kernel * 0}})
    assert restored["inner"]["mu"].sum() == 6 and int(restored["inner"]["count"]) == 1


@pytest.mark.parametrize(
    "tree", [{}, {"a": None}, {"a": np.zeros((0, 2), np.float32)}, np.arange(3), {"a/b": {"..": np.ones(2)}}]
)
def test_unusual_trees_come_back(tmp_path, tree):
    assert digest(_round_trip(tmp_path, tree)) == digest(tree)


def test_a_sharded_state_comes_back_on_the_targets_sharding(tmp_path):
    mesh = jax.make_mesh((4, 2), ("data", "model"))
    rows, columns = (jax.NamedSharding(mesh, jax.P(*axes)) for axes in (("data",), (None, "model")))
    kernel = jax.device_put(jnp.arange(32.0).reshape(8, 4), rows)
    restored = _round_trip(tmp_path, {"k": kernel}, {"k": jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=columns)})
    assert restored["k"].sharding == columns and digest(restored) == digest({"k": kernel})


def test_the_manifest_tells_versions_digest_and_key_implementation(tmp_path):
    tree = {"key": jax.random.key(0)}
    _round_trip(tmp_path, tree)
    manifest = json.loads((tmp_path / "checkpoints" / "3" / "manifest.json").read_text())
    assert set(manifest["versions"]) == {"jax", "orbax", "zerfoo_jax"} and manifest["digest"] == digest(tree)
    assert manifest["leaves"][0]["dtype"] == "key<threefry2x32>"


@pytest.mark.parametrize("wrong", ["value", "shape", "dtype"])
def test_what_the_reader_gives_is_checked_again(tmp_path, monkeypatch, wrong):
    """Files can be whole and still be read wrongly; the digest of each leaf is the last word."""
    state = state_at(1)
    _round_trip(tmp_path, state)
    honest = folder.read_arrays

    def dishonest(path, specs):
        arrays = honest(path, specs)
        kernel = arrays["params/dense_0/kernel"]
        arrays["params/dense_0/kernel"] = {"value": kernel + 1, "shape": kernel.T, "dtype": kernel.view(np.int32)}[wrong]
        return arrays

    monkeypatch.setattr(folder, "read_arrays", dishonest)
    with pytest.raises(DamagedError, match="params/dense_0/kernel"):
        read_checkpoint(tmp_path / "checkpoints" / "3", state)
