"""Networks of layers go through ZMF files without loss: every layer, every architecture, graphs of every form."""

import random

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES as LAYER_EXAMPLES
from tests.models.test_models import EXAMPLES as MODEL_EXAMPLES
from tests.support.custom_layers import Dense as OtherDense
from tests.support.custom_layers import Scale, Window
from tests.support.random_graphs import make
from tests.support.zmf_networks import expect_equal, network_of
from tests.support.zmf_schema import compiled
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats import zmf
from zerfoo_jax.graph import Graph, Input, Node, Shared
from zerfoo_jax.graph.editing import Network
import zerfoo_jax.layers as L
from zerfoo_jax.models import model_from_config
from zerfoo_jax.numeric.quantization import dequantize, quantize

SPEC = jax.ShapeDtypeStruct


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.zmf"


def through(network, path, **options):
    zmf.write(network, path, **options)
    return zmf.read(path)


@pytest.mark.parametrize("name", sorted(LAYER_EXAMPLES))
def test_every_layer(name, path):
    layer, xs = LAYER_EXAMPLES[name]
    network = network_of(layer, *xs)
    expect_equal(through(network, path), network)
    (node,) = zmf.summarize(path).nodes
    assert node.kind == name


@pytest.mark.parametrize("name", sorted(MODEL_EXAMPLES))
def test_every_architecture(name, path):
    options, inputs, _ = MODEL_EXAMPLES[name]
    model, _ = model_from_config({"name": name, **options}, None)
    network = network_of(model, *(inputs if isinstance(inputs, tuple) else (inputs,)))
    expect_equal(through(network, path), network)
    assert zmf.summarize(path).nodes
    if name in ("gpt", "lenet", "lstm_forecaster"):
        expect_equal(zmf.read(path, verify=True), network)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_with_odd_names(seed, path):
    graph, _ = make(random.Random(seed), 2, [(3,), (4, 5), ()], seed % 2 == 0)
    specs = tuple(SPEC((), np.float32) for _ in graph.inputs)
    if any(not name.isprintable() for name in names(graph)):
        with pytest.raises(ConfigError, match="control or direction characters"):
            zmf.write(Network(graph, {name: {"kernel": np.ones(1)} for name in names(graph)}, {}, specs), path)
        return
    declared = tuple(Input(one.name) for one in graph.declared())  # what is declared would have to fit the specs
    graph = Graph(declared, graph.nodes, graph.outputs)
    network = Network(graph, {name: {"kernel": np.ones(1)} for name in names(graph)}, {}, specs)
    expect_equal(through(network, path), network)


def names(graph):
    return [node.name for node in graph.nodes]


def test_what_inputs_declare_shared_nodes_and_outputs_of_nodes(path):
    graph = Graph(
        (Input("x", (None, 4, 0), "int32"), Input("y", (2, 4)), "any"),
        (
            Node("a", L.Dense(4), ("y",)),
            Node("b", Shared("a"), ("y",)),
            Node("parts", L.Split((1, 3)), ("b",)),
            Node("inner", Graph(("z",), (Node("n", L.Dense(2), ("z",)),), ("n", "z")), ("parts:1",)),
        ),
        ("inner:1", "parts:0", "x"),
    )
    specs = (SPEC((3, 4, 0), jnp.int32), SPEC((2, 4), jnp.float32), SPEC((), jnp.bfloat16))
    network = Network(graph, {"a": {"kernel": np.ones((4, 4), np.float32)}}, {}, specs)
    expect_equal(through(network, path), network)
    outputs = {node.name: node.outputs for node in zmf.summarize(path).nodes}
    assert outputs == {
        "a": ("a",),
        "b": ("b",),
        "parts": ("parts", "parts:1", "parts:0"),
        "inner": ("inner", "inner:1"),
    }


def test_parameters_of_every_dtype_to_the_bit(path):
    kinds = [np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
    kinds += [np.float16, np.float32, np.float64, np.complex64, np.complex128]
    kinds += [np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "int4", "uint4", "int2", "float4_e2m1fn")]
    kinds += [np.dtype(getattr(ml_dtypes, name)) for name in ("float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu")]
    chance = np.random.default_rng(0)
    arrays = {np.dtype(kind).name: chance.integers(0, 2, (3, 5)).astype(kind) for kind in kinds}
    arrays["nan"] = np.array([0x7FA00001, 0xFF800000], np.uint32).view(np.float32)
    arrays["none"], arrays["one"], arrays["big"] = np.zeros((0, 3)), np.float32(2.5).reshape(()), np.arange(3, dtype=">i4")
    arrays["turned"] = np.arange(12.0).reshape(3, 4).T
    found = through(Network(L.Dense(1), arrays, {}, (SPEC((1, 1), jnp.float32),)), path).params
    for name, array in arrays.items():
        little = array.astype(array.dtype.newbyteorder("<"))
        assert found[name].dtype == little.dtype and found[name].shape == array.shape, name
        assert found[name].tobytes() == little.tobytes(), name


def test_a_float_field_that_no_float32_is_comes_back_as_it_was(path):
    network = network_of(L.LayerNorm(epsilon=1.1e-7), np.ones((2, 3), np.float32))
    assert through(network, path).model.epsilon == 1.1e-7
    assert zmf.read_model(path).graph.nodes[0].attributes["epsilon"].d == 1.1e-7


def test_a_layer_of_ones_own_is_read_only_by_who_knows_it(path):
    network = Network(L.Sequential((OtherDense(3), L.Dense(2))), {}, {}, (SPEC((1, 1), jnp.float32),))
    with pytest.raises(ConfigError, match="layers"):
        zmf.write(network, path)
    other = Network(L.Residual(Scale(3, window=2, sizes=(4, 5))), {}, {}, (SPEC((1, 1), jnp.float32),))
    with pytest.raises(ConfigError, match="unknown layer 'Scale'"):
        zmf.write(other, path)
    zmf.write(other, path, layers={"Scale": Scale})
    expect_equal(zmf.read(path, layers={"Scale": Scale}), other)
    with pytest.raises(FormatError, match="unknown layer 'Scale'") as caught:
        zmf.read(path)
    assert caught.value.problems[0].place == f"{path}: graph/nodes/model.inner.type"


@pytest.mark.parametrize("value", [Window(3), 1j, 2**70, b"bytes"])
def test_a_field_that_no_file_has_a_place_for_is_refused(value, path):
    network = Network(Scale(1, window=value), {}, {}, (SPEC((1, 1), jnp.float32),))
    with pytest.raises(ConfigError, match=r"no file has a place|beyond 64 bits"):
        zmf.write(network, path, layers={"Scale": Scale})
    assert not path.exists()


@pytest.mark.parametrize("depth", [60, 400])
def test_layers_that_are_nested_too_deep_to_be_read_are_not_written(depth, path):
    layer = L.Dense(1)
    for _ in range(depth):
        layer = L.Residual(layer)
    with pytest.raises(ConfigError, match="nested"):
        zmf.write(Network(layer, {}, {}, (SPEC((1, 1), jnp.float32),)), path)


@pytest.mark.parametrize("params", [{"a/b": np.ones(1)}, {"a": {3: np.ones(1)}}])
def test_arrays_that_would_not_find_their_place_again_are_refused(params, path):
    with pytest.raises(ConfigError, match="cannot be written"):
        zmf.write(Network(L.Dense(1), params, {}, (SPEC((1, 1), jnp.float32),)), path)
    with pytest.raises(ConfigError, match="without nodes"):
        zmf.write(Network(Graph(("x",), (), ("x",)), {}, {}, (SPEC((1, 1), jnp.float32),)), path)


def test_further_arrays_and_texts_go_along(path):
    network = network_of(L.Dense(3), np.ones((2, 4), np.float32))
    extra = {"optimizer": {"count": np.int32(7), "mu": network.params}, "metrics": {"loss": np.arange(3.0)}}
    zmf.write(network, path, extra=extra, metadata={"licence": "MIT", "é": "naïve"})
    found = zmf.read_extra(path)
    assert jax.tree.structure(found) == jax.tree.structure(extra)
    jax.tree.map(np.testing.assert_array_equal, found, extra)
    facts = zmf.summarize(path).facts
    assert facts["licence"] == "MIT" and facts["é"] == "naïve" and facts["zmf_version"] == "1.0.0"
    expect_equal(zmf.read(path), network)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shared": (0,)},
        {"shared": (0,), "block": (0, 3)},
        {"dtype": "uint8", "symmetric": False, "shared": (1,)},
        {"dtype": "int4", "shared": (0, 1), "block": (1, 4)},
        {"dtype": "float8_e4m3fn"},
    ],
)
def test_quantised_parameters_keep_codes_scales_and_zero_points(options, path):
    kernel = quantize(np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32), **options)
    network = Network(L.Dense(5), {"kernel": kernel, "bias": np.zeros(5, np.float32)}, {}, (SPEC((1, 7), jnp.float32),))
    found = through(network, path)
    expect_equal(found, network)
    assert found.params["kernel"].block == kernel.block
    np.testing.assert_array_equal(dequantize(found.params["kernel"]), dequantize(kernel))
    assert zmf.read(path, verify=True).specs == network.specs


def test_large_kernels_in_blocks_as_the_original_does(path):
    names = {
        "kernel": (40, 33),
        "bias": (2, 1024),
        "norm_1": (40, 40),
        "embedding": (40, 40),
        "small": (31, 33),
        "flat": (2048,),
    }
    chance = np.random.default_rng(0)
    params = {name: chance.normal(size=shape).astype(np.float32) for name, shape in names.items()}
    params["whole"] = np.ones((64, 64), np.int32)
    network = Network(L.Dense(1), params, {}, (SPEC((1, 1), jnp.float32),))
    found = through(network, path, quantize="q8_0").params
    stored = {tensor.name: tensor.dtype for tensor in zmf.summarize(path).tensors}
    assert [name for name, kind in stored.items() if kind == "Q8_0"] == ["kernel"]
    worst = np.abs(params["kernel"]).max() / 127 / 2 * 1.0001
    assert 0 < np.abs(found["kernel"] - params["kernel"]).max() <= worst
    assert all((found[name] == params[name]).all() for name in params if name != "kernel")
    with pytest.raises(ConfigError, match="NaN"):
        zmf.write(
            Network(L.Dense(1), {"kernel": np.full((64, 64), np.nan, np.float32)}, {}, network.specs), path, quantize="q4_0"
        )


def test_verify_compares_parameters_with_the_model(path):
    network = network_of(L.Dense(3), np.ones((2, 4), np.float32))
    for params, said in (
        ({"kernel": network.params["kernel"]}, "parameters/bias"),
        ({**network.params, "more": np.ones(2)}, "parameters/more"),
        ({**network.params, "bias": np.ones(3, np.float16)}, "the model has float32 (3,), the file float16 (3,)"),
    ):
        zmf.write(Network(network.model, params, {}, network.specs), path)
        assert zmf.read(path).params.keys() == params.keys()
        with pytest.raises(FormatError) as caught:
            zmf.read(path, verify=True)
        assert said in str(caught.value)


def test_a_plain_protobuf_reader_finds_the_layers(path):
    network = network_of(L.Sequential((L.Dense(3), L.Activation("relu"))), np.ones((2, 4), np.float32))
    zmf.write(network, path)
    model = compiled(original=True)["Model"].FromString(path.read_bytes())
    assert model.zmf_version == "1.0.0" and model.metadata.producer_name == "zerfoo_jax"
    kernel = model.graph.parameters["dense_0/kernel"]
    assert kernel.dtype == 3 and list(kernel.shape) == [4, 3]
    assert kernel.data == np.asarray(network.params["dense_0"]["kernel"]).tobytes()
    assert [(node.name, node.op_type) for node in model.graph.nodes] == [("model", "Sequential")]
