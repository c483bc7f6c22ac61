"""Networks to files and bytes and back: every layer, every numeric type."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec, spec_of
from zerfoo_jax.formats import detect, load, safetensors, save, summarize
from zerfoo_jax.formats.safetensors import from_bytes, read_tensors, to_bytes
from zerfoo_jax.formats.safetensors.network import network_of, network_tensors
from zerfoo_jax.graph import Graph, Node
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.layers import LAYERS, BatchNorm, Dense, MultiHeadAttention, Sequential
from zerfoo_jax.numeric.dtypes import DTYPES

TYPES = [
    *("bfloat16", "float16", "float32", "float4_e2m1fn", "float64"),
    *("int16", "int32", "int64", "int8", "uint16", "uint32", "uint64", "uint8"),
]


def random_network(name: str, dtype: str) -> Network:
    """A layer of each kind, its parameters and state drawn from all bit patterns of a type."""
    layer, xs = EXAMPLES[name]
    specs = tuple(map(spec_of, xs))
    params, state = jax.eval_shape(layer.init, jax.random.key(0), *specs)
    wanted = DTYPES[dtype]
    rng = np.random.default_rng(len(name))

    def drawn(spec):
        raw = rng.integers(0, 2 ** min(wanted.bits, 8), spec.size * wanted.numpy.itemsize, np.uint8)
        return raw.view(wanted.numpy).reshape(spec.shape)

    return Network(layer, *jax.tree.map(drawn, (params, state)), specs)


def arrays(network: Network) -> list[np.ndarray]:
    return jax.tree.leaves((network.params, network.state))


def expect_same(found: Network, network: Network) -> None:
    assert found.model == network.model and found.specs == network.specs
    assert jax.tree.structure((found.params, found.state)) == jax.tree.structure((network.params, network.state))
    for a, b in zip(
        jax.tree.leaves((found.params, found.state)), jax.tree.leaves((network.params, network.state)), strict=True
    ):
        assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == np.asarray(b).tobytes()


EVERY = [(name, dtype) for name in sorted(LAYERS) for dtype in TYPES]
SAMPLE = {(name, TYPES[i % len(TYPES)]) for i, name in enumerate(sorted(LAYERS)[::4])}


@pytest.mark.parametrize(
    ("name", "dtype"), [pytest.param(*one, marks=[] if one in SAMPLE else pytest.mark.slow) for one in EVERY]
)
def test_every_layer_with_every_type_comes_back_bit_for_bit(name, dtype, tmp_path):
    network = random_network(name, dtype)
    tensors, metadata = network_tensors(network)
    data = from_bytes(to_bytes(tensors, metadata=metadata))
    expect_same(network_of(data, data.metadata, "x"), network)
    save(network, tmp_path / "x.safetensors")
    expect_same(load(tmp_path / "x.safetensors"), network)


def made(model: Layer, *shape: int) -> Network:
    """A network of any numbers, without compiling its initialisation."""
    spec, rng = Spec(shape, jnp.float32), np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0), spec)
    return Network(model, *jax.tree.map(lambda s: rng.uniform(0.5, 1, s.shape).astype(s.dtype), shapes), (spec,))


@pytest.fixture
def network() -> Network:
    return made(Sequential((Dense(8), BatchNorm(), Dense(3))), 1, 4)


def test_names_are_natural_and_state_is_told_apart(network, tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.write(network, path)
    assert set(read_tensors(path)) == {
        *("dense_0.kernel", "dense_0.bias", "batch_norm_0.scale", "batch_norm_0.bias", "dense_1.kernel", "dense_1.bias"),
        *("state.batch_norm_0.mean", "state.batch_norm_0.var"),
    }


def test_a_network_computes_the_same_from_its_file_and_trains(network, tmp_path):
    save(network, tmp_path / "x.safetensors")
    found = load(tmp_path / "x.safetensors")
    x = jnp.ones((2, 4))
    np.testing.assert_array_equal(jax.jit(found)(x), jax.jit(network)(x))
    loss = lambda params: jnp.sum(found.model.apply(params, found.state, x, train=True)[0])  # noqa: E731
    grads = jax.jit(jax.grad(loss))(found.params)
    assert jax.tree.map(jnp.shape, grads) == jax.tree.map(jnp.shape, found.params)


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json"])
def test_a_file_is_known_by_its_name_and_content(network, tmp_path, name):
    save(network, tmp_path / name, **({"max_shard_bytes": 3 * 2**30} if "index" in name else {}))
    assert detect(tmp_path / name).name == "safetensors"
    expect_same(load(tmp_path / name), network)


def test_a_file_is_known_by_its_content_alone(network, tmp_path):
    save(network, tmp_path / "x.safetensors")
    renamed = (tmp_path / "x.safetensors").rename(tmp_path / "renamed")
    expect_same(load(renamed), network)


def test_a_node_with_dots_in_its_name_comes_back(tmp_path):
    graph = Graph(("x",), (Node("layer1.0", Dense(2), ("x",)), Node("state", Dense(2), ("layer1.0",))), ("state",))
    network = made(graph, 1, 2)
    save(network, tmp_path / "x.safetensors")
    expect_same(load(tmp_path / "x.safetensors"), network)


def test_names_that_would_fall_together_are_refused(tmp_path):
    inner = Sequential((Dense(2),))
    graph = Graph(("x",), (Node("a.dense_0", Dense(2), ("x",)), Node("a", inner, ("a.dense_0",))), ("a",))
    with pytest.raises(FormatError, match="one name"):
        save(made(graph, 1, 2), tmp_path / "x.safetensors")


class Unknown(Layer):
    """A layer of no table."""

    def forward(self, params, x):
        return x


def test_a_layer_of_no_table_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Unknown"):
        save(Network(Unknown(), {}, {}, ()), tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_are_not_the_models_are_refused(network, tmp_path):
    wrong = Network(network.model, {"dense_0": network.params["dense_0"]}, network.state, network.specs)
    with pytest.raises(FormatError, match=r"missing\n  at the network/batch_norm_0\.bias"):
        save(wrong, tmp_path / "x.safetensors")


def test_a_cache_whose_state_is_called_as_its_parameters(tmp_path):
    layer = MultiHeadAttention(2, causal=True, cache_length=4)
    network = made(layer, 1, 3, 8)
    save(network, tmp_path / "x.safetensors")
    expect_same(load(tmp_path / "x.safetensors"), network)


def test_a_network_kept_in_another_type_comes_back_within_its_scale(network, tmp_path):
    path = tmp_path / "x.safetensors"
    save(network, path, tensor_dtype="int8")
    assert {array.dtype.name for array in read_tensors(path).values()} == {"int8"}
    found = load(path)
    for a, b in zip(
        jax.tree.leaves((found.params, found.state)), jax.tree.leaves((network.params, network.state)), strict=True
    ):
        assert a.dtype == b.dtype
        assert np.abs(a - b).max() <= np.abs(b).max() / 254 * 1.0001


def test_a_summary_says_what_is_in_a_file(network, tmp_path):
    save(network, tmp_path / "x.safetensors", tensor_dtype="int4")
    summary = summarize(tmp_path / "x.safetensors")
    assert summary.format == "safetensors" and summary.inputs == ("float32[1, 4]",) and summary.facts == {}
    assert [(node.name, node.kind) for node in summary.nodes] == [
        ("dense_0", "Dense"),
        ("batch_norm_0", "BatchNorm"),
        ("dense_1", "Dense"),
    ]
    kernel = next(tensor for tensor in summary.tensors if tensor.name == "dense_0.kernel")
    assert (kernel.dtype, kernel.shape, kernel.bytes) == ("int4", (4, 8), 16)


def test_the_model_stands_in_the_metadata_as_json(network, tmp_path):
    save(network, tmp_path / "x.safetensors")
    metadata = read_tensors(tmp_path / "x.safetensors").metadata
    assert json.loads(metadata["zerfoo.model"])["type"] == "Sequential"
    assert json.loads(metadata["zerfoo.inputs"]) == [{"shape": [1, 4], "dtype": "float32"}]
