import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import onnx
import pytest

from tests.support.layers import assert_close, normal, random_variables
from tests.support.onnx_files import run_file, run_graph
from zerfoo_jax import formats
from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.formats.lowering import OPSETS, graph_of_network
from zerfoo_jax.formats.onnx import write_function
from zerfoo_jax.formats.onnx.writing import bytes_of, message_of, write_graph
from zerfoo_jax.formats.operators import OperatorGraph, OperatorNode, Value
from zerfoo_jax.graph import Graph, Node
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.input import Input
from zerfoo_jax.graph.shared import Shared
import zerfoo_jax.layers as L

X = normal(0, 5, 6, 5, 3)


def network(model, x=X):
    return Network.new(model, jax.random.key(0), jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype))


def named_graph():
    return Graph(
        (Input("image", (None, 6, 5, 3)),),
        (
            Node("conv", L.Conv2D(4, 3), ("image",)),
            Node("norm", L.BatchNorm(), ("conv",)),
            Node("pool", L.MaxPool2D(2), ("norm",)),
            Node("flat", L.Flatten(), ("pool",)),
            Node("scores", L.Dense(3), ("flat",)),
        ),
        ("scores", "pool"),
    )


def test_names_are_those_of_the_model(tmp_path):
    given = network(named_graph())
    formats.save(given, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["scores", "pool"]
    dims = [[dim.dim_param or dim.dim_value for dim in v.type.tensor_type.shape.dim] for v in model.graph.output]
    assert dims == [["batch", 3], ["batch", 3, 2, 4]]
    names = {tensor.name for tensor in model.graph.initializer}
    assert {"conv.kernel", "conv.bias", "scores.kernel", "scores.bias"} <= names
    # The norm is in the kernel, and what only turns an output is in no layer.
    assert {node.name.split("/")[0] for node in model.graph.node} == {"conv", "pool", "flat", "scores", "Transpose"}
    assert (model.producer_name, model.ir_version, model.opset_import[0].version) == ("zerfoo_jax", 9, 20)
    for actual, wanted in zip(run_file(tmp_path / "model.onnx", [X]), given(X), strict=True):
        assert_close(actual, wanted, 1e-5)


def test_images_are_transposed_once_on_the_way_in_and_once_on_the_way_out():
    model = L.Sequential((L.Conv2D(4, 3), L.BatchNorm(), L.Activation("relu"), L.Conv2D(4, 3), L.MaxPool2D(2)))
    types = [node.op_type for node in graph_of_network(network(model)).nodes]
    assert types.count("Transpose") == 2 and types[0] == types[-1] == "Transpose"
    assert types.count("Conv") == 2 and types.count("MaxPool") == 1


def test_a_kernel_that_a_norm_is_taken_into_stays_as_it_is_for_others():
    model = Graph(
        ("x",),
        (
            Node("conv", L.Conv2D(3, 3), ("x",)),
            Node("norm", L.BatchNorm(), ("conv",)),
            Node("again", Shared("conv"), ("norm",)),
            Node("seen", L.BatchNorm(), ("again",)),
            Node("sum", L.Add(), ("again", "seen")),
        ),
        ("sum",),
    )
    params, state = random_variables(model, X)
    state = jax.tree.map(lambda x: x + 0.3 * jnp.arange(3.0), state)
    given = Network(model, params, state, (jax.ShapeDtypeStruct((1, *X.shape[1:]), X.dtype),))
    graph = graph_of_network(given)
    assert [node.op_type for node in graph.nodes].count("Conv") == 2
    assert_close(run_graph(graph, [X])[0], given(X), 1e-5)
    assert {"conv.kernel", "conv.kernel_normalised"} <= set(graph.parameters)


@pytest.mark.parametrize("opset", [OPSETS[0], 19, OPSETS[-1]])
def test_versions_of_operators(tmp_path, opset):
    model = L.Sequential(
        (L.AvgPool2D(2, padding=((1, 0), (0, 1))), L.LayerNorm(), L.Flatten(), L.Dense(3), L.Activation("gelu"))
    )
    given = network(model)
    formats.save(given, tmp_path / "model.onnx", opset=opset)
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == opset
    (found,) = run_file(tmp_path / "model.onnx", [X])
    assert_close(found, given(X), 1e-5)


def test_versions_that_are_not_written_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="opset = 17") as raised:
        formats.save(network(L.Flatten()), tmp_path / "model.onnx", opset=17)
    assert "18 to 26" in str(raised.value) and not list(tmp_path.iterdir())


def test_one_batch_size(tmp_path):
    formats.save(network(L.Flatten()), tmp_path / "model.onnx", batch=2)
    (value,) = onnx.load(tmp_path / "model.onnx").graph.output
    assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [2, 90]


def test_weights_beside_the_model(tmp_path):
    given = network(L.Sequential((L.Flatten(), L.Dense(40))))
    formats.save(given, tmp_path / "model.onnx", external_data=True)
    (beside,) = {path.name for path in tmp_path.iterdir()} - {"model.onnx"}
    assert re.fullmatch(r"model\.onnx\.[0-9a-f]{16}\.data", beside)
    tensors = {tensor.name: tensor for tensor in onnx.load(tmp_path / "model.onnx", load_external_data=False).graph.initializer}
    (kernel,) = [tensor for name, tensor in tensors.items() if name.endswith("kernel")]
    places = {entry.key: entry.value for entry in kernel.external_data}
    assert places["location"] == beside and int(places["offset"]) % 64 == 0
    (found,) = run_file(tmp_path / "model.onnx", [X])
    assert_close(found, given(X), 1e-5)
    assert_close(formats.load(tmp_path / "model.onnx")(X), given(X), 1e-5)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precisions_stay(dtype):
    params = {"kernel": jnp.ones((4, 3), dtype), "bias": jnp.zeros(3, dtype)}
    spec = jax.ShapeDtypeStruct((1, 4), dtype)
    graph = graph_of_network(Network(L.Dense(3), params, {}, (spec,)))
    assert {str(array.dtype) for array in graph.parameters.values()} == {np.dtype(dtype).name}
    onnx.checker.check_model(message_of(graph), full_check=True)
    assert graph.outputs[0].dtype == np.dtype(dtype).name


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int2", "float4_e2m1fn", "float8_e4m3fn", "bfloat16"])
def test_narrow_types_are_packed_as_onnx_packs_them(dtype):
    values = np.array([1, 0, 1, 1, 0], getattr(ml_dtypes, dtype))
    assert bytes_of(values) == onnx.numpy_helper.from_array(values).raw_data


@pytest.mark.parametrize("to", ["int8", "uint8"])
def test_codes_of_quantised_kernels_stay_codes(to):
    x = normal(0, 3, 80)
    model = L.Quantized(L.Dense(64), to=to, activations="float")
    params, state = model.init(jax.random.key(0), x)
    graph = graph_of_network(Network(model, params, state, (jax.ShapeDtypeStruct((1, 80), x.dtype),)))
    assert {str(array.dtype) for array in graph.parameters.values() if array.size == 80 * 64} == {to}
    assert_close(run_graph(graph, [x])[0], model.apply(params, state, x)[0], 1e-5)


class Noisy(Layer):
    """A layer that draws random numbers even in evaluation."""

    def forward(self, params, x):
        seed = jnp.sum(x).astype(jnp.int32)
        return x + jax.random.normal(jax.random.key(seed), x.shape)


def test_what_no_operator_does_is_named_and_nothing_is_written(tmp_path):
    model = Graph(("x",), (Node("flat", L.Flatten(), ("x",)), Node("noise", Noisy(), ("flat",))), ("noise",))
    with pytest.raises(FormatError, match="random") as raised:
        formats.save(network(model), tmp_path / "model.onnx")
    assert {problem.place for problem in raised.value.problems} == {"noise"}
    assert not list(tmp_path.iterdir())


def test_operators_from_a_file_stay_as_they_are(tmp_path):
    nodes = (
        OperatorNode("HardSigmoid", ("x",), ("h",), {"alpha": 0.3}, "gate"),
        OperatorNode("Mul", ("h", "w"), ("y",), {}, "scale"),
    )
    inputs = (Value("x", "float32", ("n", 3)),)
    outputs = (Value("y", "float32", ("n", 3)),)
    graph = OperatorGraph(nodes, inputs, outputs, {"w": normal(1, 3)}, {"": 17}, metadata={"author": "somebody"})
    write_graph(graph, tmp_path / "given.onnx")
    formats.save(formats.load(tmp_path / "given.onnx"), tmp_path / "again.onnx")
    first, second = (onnx.load(tmp_path / name) for name in ("given.onnx", "again.onnx"))
    assert list(first.graph.node) == list(second.graph.node)
    assert list(first.graph.initializer) == list(second.graph.initializer)
    assert first.opset_import == second.opset_import and first.metadata_props[0].value == "somebody"
    (output,) = second.graph.output
    assert output.name == "y" and output.type.tensor_type.shape.dim[1].dim_value == 3
    formats.save(formats.load(tmp_path / "given.onnx"), tmp_path / "newer.onnx", opset=21)
    x = normal(0, 4, 3)
    np.testing.assert_allclose(run_file(tmp_path / "newer.onnx", [x])[0], run_graph(graph, [x])[0], rtol=1e-6)


def test_any_function_with_sizes_that_vary(tmp_path):
    sizes = jax.export.symbolic_shape("rows, columns")
    kernel = normal(1, 4, 3)

    def scores(parameters, x, y):
        return jnp.einsum("rcf,fk->rck", x, parameters["kernel"]), x.sum(-1) + y

    specs = (jax.ShapeDtypeStruct((*sizes, 4), jnp.float32), jax.ShapeDtypeStruct(sizes, jnp.float32))
    names = {"inputs": ("x", "y"), "outputs": ("scores", "sums")}
    write_function(scores, tmp_path / "model.onnx", *specs, parameters={"kernel": kernel}, **names, opset=19)
    model = onnx.load(tmp_path / "model.onnx")
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["x", "y", "scores", "sums"]
    x, y = normal(2, 2, 6, 4), normal(3, 2, 6)
    for actual, wanted in zip(run_file(tmp_path / "model.onnx", [x, y]), scores({"kernel": kernel}, x, y), strict=True):
        assert_close(actual, wanted, 1e-5)


def test_a_failed_check_writes_nothing(tmp_path):
    graph = OperatorGraph(
        (OperatorNode("NoSuch", ("x",), ("y",)),), (Value("x", "float32", (1,)),), (Value("y"),), {}, {"": 20}
    )
    with pytest.raises(FormatError, match="checker"):
        write_graph(graph, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
