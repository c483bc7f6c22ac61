"""ONNX models as operators: functions in their places, weights as views, go-metal's files as they are meant."""

import json
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
from onnx import helper, numpy_helper  # noqa: E402 - once it is there

from zerfoo_jax import formats  # noqa: E402
from zerfoo_jax.core.errors import FormatError  # noqa: E402
from zerfoo_jax.formats.onnx import read, read_graph, summarize  # noqa: E402
from zerfoo_jax.formats.onnx.backend import run_model  # noqa: E402
from zerfoo_jax.formats.onnx.reading import graph_of  # noqa: E402

GO_METAL = Path(__file__).parents[2] / "data" / "go_metal"
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def value(name, *shape):
    return helper.make_tensor_value_info(name, 1, shape)


def model_of(nodes, functions=(), tensors=(), inputs=("x",)):
    graph = helper.make_graph(nodes, "g", [value(name, "n", 3) for name in inputs], [value("y", "n", 3)], tensors)
    return helper.make_model(graph, opset_imports=OPSETS, functions=functions)


def saved(model, tmp_path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    return path


def own(name, inputs, outputs, **attributes):
    return helper.make_node(name, inputs, outputs, domain="own", **attributes)


def test_functions_are_put_where_they_are_called():
    leaky = helper.make_node("LeakyRelu", ["x"], ["h"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    inner = helper.make_function(
        "own",
        "Inner",
        ["x", "more"],
        ["y"],
        [leaky, helper.make_node("Neg", ["h"], ["y"])],
        OPSETS,
        attribute_protos=[helper.make_attribute("slope", 0.25)],
    )
    again = own("Inner", ["b"], ["c"])
    again.attribute.add(name="slope", ref_attr_name="steep", type=onnx.AttributeProto.FLOAT)
    outer = helper.make_function("own", "Outer", ["a"], ["c", "a"], [own("Inner", ["a"], ["b"]), again], OPSETS, ["steep"])
    model = model_of([own("Outer", ["x"], ["p", "q"], steep=0.5), helper.make_node("Add", ["p", "q"], ["y"])], [inner, outer])
    graph = graph_of(model, "model")
    assert [node.op_type for node in graph.nodes] == ["LeakyRelu", "Neg", "LeakyRelu", "Neg", "Identity", "Add"]
    assert [node.attributes["alpha"] for node in graph.nodes if node.op_type == "LeakyRelu"] == [0.25, 0.5]
    x = np.float32([[1, -2, 3]])
    [y] = run_model(model, [x])
    once = -np.where(x < 0, x / 4, x)
    np.testing.assert_allclose(y, -np.where(once < 0, once / 2, once) + x)


def test_a_function_sees_its_own_values_in_its_branches():
    branch = helper.make_graph([helper.make_node("Add", ["h", "h"], ["t"])], "b", [], [value("t", None)])
    other = helper.make_graph([helper.make_node("Neg", ["a"], ["t"])], "b", [], [value("t", None)])
    nodes = [
        helper.make_node("Abs", ["a"], ["h"]),
        helper.make_node("ReduceSum", ["a"], ["s"], keepdims=0),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Greater", ["s", "zero"], ["positive"]),
        helper.make_node("If", ["positive"], ["c"], then_branch=branch, else_branch=other),
    ]
    function = helper.make_function("own", "F", ["a"], ["c"], nodes, OPSETS)
    model = model_of([own("F", ["x"], ["h"]), own("F", ["h"], ["y"])], [function])
    x = np.float32([[1, -2, 3]])
    np.testing.assert_allclose(run_model(model, [x])[0], 4 * abs(x))
    np.testing.assert_allclose(run_model(model, [-x])[0], 2 * abs(x))


def test_arrays_among_the_inputs_are_no_inputs():
    tensor = numpy_helper.from_array(np.ones((1, 3), np.float32), "w")
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], tensors=[tensor], inputs=("w", "x"))
    graph = graph_of(model, "model")
    assert [one.name for one in graph.inputs] == ["x"]
    assert graph.inputs[0].shape == ("n", 3) and graph.inputs[0].dtype == "float32"


def test_weights_are_views_of_the_file(tmp_path):
    array = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], tensors=[numpy_helper.from_array(array.T, "w")])
    path = saved(model, tmp_path)
    weight = read(path).params["MatMul_0"]["B"]
    np.testing.assert_array_equal(weight, array.T)
    assert not weight.flags.owndata and not weight.flags.writeable


def test_weights_beside_the_model_are_views_of_their_file(tmp_path):
    array = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    model = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], tensors=[numpy_helper.from_array(array, "w")])
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    network = read(tmp_path / "model.onnx")
    np.testing.assert_array_equal(network.params["MatMul_0"]["B"], array)
    assert (tmp_path / "weights.bin").stat().st_size == array.nbytes
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(network(x), x @ array, rtol=1e-6)


def test_a_file_says_what_is_in_it(tmp_path):
    tensor = numpy_helper.from_array(np.ones((1, 3), np.float32), "w")
    path = saved(model_of([helper.make_node("Frobnicate", ["x", "w"], ["y"], size=3)], tensors=[tensor]), tmp_path)
    for summary in (summarize(path), formats.summarize(path)):
        assert summary.format == "onnx"
        assert summary.facts["opset ai.onnx"] == 17
        assert summary.inputs == ("x: float32 (n, 3)",)
        [node] = summary.nodes
        assert (node.kind, node.inputs, node.attributes) == ("Frobnicate", ("x", "w"), {"size": 3})
        [found] = summary.tensors
        assert (found.name, found.dtype, found.shape, found.bytes) == ("w", "float32", (1, 3), 12)


def test_an_input_without_a_shape_is_given_one(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", 1, None)], [value("y", None)]
    )
    path = saved(helper.make_model(graph, opset_imports=OPSETS), tmp_path)
    with pytest.raises(FormatError, match="shape or dtype of its input 'x'"):
        read(path)
    assert read(path, shapes={"x": (2, 5)}).specs[0].shape == (2, 5)


def test_go_metals_model_gives_what_its_checkpoint_gives():
    network = formats.load(GO_METAL / "demo_model.onnx")
    checkpoint = json.loads((GO_METAL / "demo_model.json").read_text())
    weights = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in checkpoint["weights"]}

    def dense(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    x = np.random.default_rng(0).normal(size=(3, 1, 28, 28))
    hidden = dense(np.maximum(dense(x, "hidden1"), 0), "hidden2")
    expected = dense(np.where(hidden < 0, 0.01 * hidden, hidden), "output")
    found = network(x.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * abs(expected).max())
    assert network.specs[0].shape == (1, 1, 28, 28)  # any size of batch, where the file says 32


def test_go_metals_files_are_no_valid_onnx():
    with pytest.raises(FormatError, match="go-metal"):
        read(GO_METAL / "demo_model.onnx", strict=True)


def test_go_metals_images_are_flattened_and_zeros_put_back(tmp_path):
    rng = np.random.default_rng(0)
    kernel, weight = rng.normal(size=(2, 1, 3, 3)).astype(np.float32), rng.normal(size=(5, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("LeakyRelu", ["c"], ["r"], alpha=0.0),
        helper.make_node("MatMul", ["r", "w"], ["m"]),
        helper.make_node("Softmax", ["m"], ["y"], axis=0),
    ]
    for node in nodes:
        for attribute in node.attribute:  # as go-metal writes them
            for field in ("type", "f", "i"):
                attribute.ClearField(field)
    tensors = [numpy_helper.from_array(kernel, "k"), numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph(nodes, "g", [value("x", 32, 1, 4, 4)], [value("y", 32, 5)], tensors)
    model = helper.make_model(graph, opset_imports=OPSETS[:1], producer_name="go-metal")
    path = saved(model, tmp_path)
    assert [node.op_type for node in read_graph(path).nodes] == ["Conv", "LeakyRelu", "Flatten", "MatMul", "Softmax"]
    x = rng.normal(size=(2, 1, 4, 4)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x[:, 0], (3, 3), (1, 2))
    rectified = np.maximum(np.einsum("bhwij,oij->bohw", windows, kernel[:, 0]), 0).reshape(2, 8)
    scores = np.exp(rectified @ weight.T)
    np.testing.assert_allclose(read(path)(x), scores / scores.sum(0), rtol=1e-5)
