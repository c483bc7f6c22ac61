"""Graphs of operators as networks: what trains, what is known, what is shared, and the way back."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.core.layer import walk
from zerfoo_jax.core.spec import layer_from_spec, layer_to_spec
from zerfoo_jax.formats.operators import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.from_network import to_operator_graph
from zerfoo_jax.formats.operators.network import to_network
from zerfoo_jax.formats.operators.operator import Operator
from zerfoo_jax.formats.operators.packing import packed, unpacked
from zerfoo_jax.formats.operators.parameter import Parameter
from zerfoo_jax.graph import Node, editing
from zerfoo_jax.graph.model_spec import TABLE
from zerfoo_jax.graph.views.outline import outline
from zerfoo_jax.layers import Dense

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def node(op_type, inputs, outputs, **attributes):
    return OperatorNode(op_type, tuple(inputs.split(" ")) if inputs else (), tuple(outputs.split(" ")), attributes)


X = (Value("x", "float32", (None, 3)),)


def graph(*nodes, inputs=X, outputs="y", version=17, **parameters):
    return OperatorGraph(nodes, inputs, tuple(map(Value, outputs.split())), parameters, {"": version})


def apply(network, x, **mode):
    return jax.jit(lambda p, s, x: network.model.apply(p, s, x, **mode))(network.params, network.state, x)


FLATTENED = graph(
    node("Shape", "x", "shape"),
    node("Constant", "", "zero", value=np.array(0, np.int64)),
    node("Gather", "shape zero", "batch", axis=0),
    node("Unsqueeze", "batch axis", "first"),
    node("Concat", "first rest", "target", axis=0),
    node("Reshape", "x target", "flat"),
    node("MatMul", "flat w", "y"),
    inputs=(Value("x", "float32", ("n", 2, 3)),),
    axis=np.array([0]),
    rest=np.array([-1]),
    w=floats(6, 4),
)
"""What torch exports for `x.view(x.shape[0], -1)`."""


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_shapes_that_are_computed_from_shapes_are_known_at_any_batch_size(batch):
    network = to_network(FLATTENED)
    x = floats(batch, 2, 3)
    np.testing.assert_allclose(apply(network, x)[0], x.reshape(batch, 6) @ FLATTENED.parameters["w"], rtol=1e-5)
    assert not walk(network.model, jax.ShapeDtypeStruct((batch, 2, 3), "float32")).problems
    assert network.params.keys() == {"MatMul_6"} and not network.state
    assert network.specs[0].shape == (1, 2, 3)


def test_what_becomes_of_arrays():
    network = to_network(
        graph(
            node("BatchNormalization", "x scale bias mean var", "b"),
            node("Mul", "b factor", "m"),
            node("Gather", "table indices", "g"),
            node("Add", "m g", "y"),
            scale=np.float32([1, 2, 3]),
            bias=np.float32([1, 2, 3]),
            mean=np.float32([1, 2, 3]),
            var=np.float32([1, 2, 3]),
            factor=np.array(2, np.float32),
            table=floats(5, 3),
            indices=np.array([1]),
            unused=floats(3),
        )
    )
    assert {name: set(leaves) for name, leaves in network.params.items()} == {
        "BatchNormalization_0": {"scale", "bias"},
        "Gather_2": {"data"},
    }
    assert {name: set(leaves) for name, leaves in network.state.items()} == {"BatchNormalization_0": {"mean", "var"}}
    layers = {node.name: node.layer for node in network.model.nodes}
    assert dict(layers["Mul_1"].constants).keys() == {"factor"}
    assert layers["Gather_2"].is_source and not layers["Mul_1"].is_source


def test_a_large_table_of_integers_is_state():
    table = np.arange(100_000).reshape(-1, 4)
    network = to_network(graph(node("Gather", "table x", "y"), inputs=(Value("x", "int32", (None,)),), table=table))
    assert network.state["Gather_0"]["data"] is table
    np.testing.assert_array_equal(apply(network, np.int32([5]))[0], table[5:6])


def test_tied_weights_train_tied():
    w = floats(3, 3)
    network = to_network(graph(node("MatMul", "x w", "h"), node("MatMul", "h w", "y"), w=w))
    assert [node.name for node in network.model.nodes] == ["w", "MatMul_1", "MatMul_2"]
    x = floats(2, 3)
    gradient = jax.grad(lambda params: network.model.apply(params, {}, x)[0].sum())(network.params)["w"]["value"]
    ones = np.ones((2, 3))
    np.testing.assert_allclose(gradient, x.T @ (ones @ w.T) + (x @ w).T @ ones, rtol=1e-5)
    assert to_operator_graph(network).parameters.keys() == {"w"}


def test_batch_statistics_are_used_and_kept_in_training():
    mean, var = np.float32([1, 2, 3]), np.float32([4, 5, 6])
    for version in (9, 17):
        network = to_network(
            graph(
                node("BatchNormalization", "x scale bias mean var", "y", momentum=0.75),
                version=version,
                scale=np.float32([1, 2, 3]),
                bias=np.float32([3, 2, 1]),
                mean=mean,
                var=var,
            )
        )
        x = floats(16, 3)
        y, state = apply(network, x, train=True)
        np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * [1, 2, 3] + [3, 2, 1], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state["BatchNormalization_0"]["mean"], 0.75 * mean + 0.25 * x.mean(0), rtol=1e-5)
        np.testing.assert_allclose(state["BatchNormalization_0"]["var"], 0.75 * var + 0.25 * x.var(0), rtol=1e-5)
        y, state = apply(network, x)
        np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5) * [1, 2, 3] + [3, 2, 1], rtol=1e-4, atol=1e-5)


EVERYTHING = graph(
    node("Constant", "", "t", value=np.array([[1, 2, 3]], np.int8)),
    node("Cast", "t", "f", to=1),
    node("Clip", "x  high", "c"),
    node("Split", "c", "a b", axis=1, num_outputs=2),
    node("Concat", "b a", "j", axis=1),
    OperatorNode(
        "If",
        ("flag",),
        ("chosen",),
        {
            "then_branch": graph(node("Add", "j w", "inner"), inputs=(), outputs="inner"),
            "else_branch": graph(node("Sub", "j v", "inner"), inputs=(), outputs="inner", v=np.float32([1, 2, 3])),
        },
        name="/If:0",
    ),
    node("Mul", "chosen f", "y"),
    inputs=(Value("x", "float32", (None, 3)), Value("flag", "bool", ())),
    version=18,
    high=np.array(1, np.float32),
    w=np.float32([5, 6, 7]),
)


def test_an_attribute_that_is_a_graph_uses_what_is_around_it():
    network = to_network(EVERYTHING)
    assert network.params.keys() == {"If_0"}
    x = np.float32([[0.5, 2, -3]])
    expected = np.minimum(x, 1)[:, [2, 0, 1]]
    run = jax.jit(lambda params, flag: network.model.apply(params, network.state, x, flag)[0])
    np.testing.assert_allclose(run(network.params, True), (expected + np.float32([5, 6, 7])) * [1, 2, 3])
    np.testing.assert_allclose(run(network.params, False), (expected - [1, 2, 3]) * [1, 2, 3])
    gradient = jax.grad(lambda params, flag: run(params, flag).sum())(network.params, True)
    np.testing.assert_allclose(gradient["If_0"]["w"], [1, 2, 3])


@pytest.mark.parametrize("given", [FLATTENED, EVERYTHING], ids=["flattened", "everything"])
def test_operators_come_back_as_they_were(given):
    back = to_operator_graph(to_network(given))

    for one, other in zip(given.nodes, back.nodes, strict=True):
        assert (one.op_type, one.inputs, one.outputs, one.name) == (other.op_type, other.inputs, other.outputs, other.name)
        assert packed(tuple(one.attributes.values())) == packed(tuple(other.attributes.values()))
    assert given.parameters.keys() == back.parameters.keys()
    for name, array in given.parameters.items():
        assert back.parameters[name].dtype == array.dtype
        np.testing.assert_array_equal(back.parameters[name], array)
    assert back.opsets == given.opsets


def test_networks_go_through_json_and_are_drawn():
    model = to_network(EVERYTHING).model
    table = {**TABLE, "Operator": Operator, "Parameter": Parameter}
    assert layer_from_spec(json.loads(json.dumps(layer_to_spec(model))), table) == model
    assert hash(model) == hash(to_network(EVERYTHING).model)
    assert "Operator" in str(outline(model, *to_network(EVERYTHING).specs))


def test_shapes_that_are_known_are_drawn_as_what_flows():
    network = to_network(FLATTENED)
    found = outline(network.model, *network.specs)
    edges = {(edge.source, edge.target) for edge in found.edges}
    assert {("/input:0", "Shape_0"), ("Constant_1", "Gather_2"), ("Concat_4", "Reshape_5"), ("MatMul_6", "/output:0")} <= edges


def test_quantised_numbers_of_onnxruntimes_own_domain():
    kinds = {"x": floats(2, 3), "scale": np.float32(0.1), "zero": np.array(1, "int16"), "w": np.int16([[40, -9, 300]])}
    steps = [
        ("QuantizeLinear", "x scale zero", "q"),
        ("DequantizeLinear", "q scale zero", "d"),
        ("DequantizeLinear", "w scale", "k"),
    ]
    own = [dataclasses.replace(node(*step), domain="com.microsoft") for step in steps]
    arrays = {name: kinds[name] for name in ("scale", "zero", "w")}
    network = to_network(graph(*own, node("Mul", "d k", "y"), **arrays))
    expected = np.rint(kinds["x"] / np.float32(0.1)) * 0.1 * (kinds["w"] * 0.1)
    np.testing.assert_allclose(network(kinds["x"]), expected, rtol=1e-5)


def test_an_edited_network_goes_back_too():
    network = to_network(graph(node("Relu", "x", "h"), node("MatMul", "h w", "y"), w=floats(3, 3)))
    more = Operator("Tanh", ("h",), ("h",), opsets={"": 17})
    edited = editing.insert(network, more, after="Relu_0", name="more", key=jax.random.key(0))
    back = to_operator_graph(edited)
    assert [(node.op_type, node.inputs) for node in back.nodes][1][0] in ("Tanh", "MatMul")
    names = [name for node in back.nodes for name in node.outputs]
    assert len(set(names)) == 3
    x = floats(2, 3)
    np.testing.assert_allclose(to_network(back)(x), edited(x), rtol=1e-6)


def test_other_layers_are_no_operators():
    network = to_network(graph(node("Relu", "x", "y")))
    model = dataclasses.replace(network.model, nodes=(*network.model.nodes, Node("dense", Dense(2), ("Relu_0",))))
    with pytest.raises(FormatError, match="no operators"):
        to_operator_graph(dataclasses.replace(network, model=model))


def test_what_is_refused():
    with pytest.raises(FormatError, match="Frobnicate"):
        to_network(graph(node("Frobnicate", "x", "y")))
    with pytest.raises(FormatError, match="gives sequences"):
        to_network(graph(node("SequenceConstruct", "x", "s"), node("SequenceLength", "s", "y")))
    with pytest.raises(FormatError, match="'object' is no dtype"):
        to_network(graph(node("Identity", "x", "y"), inputs=(Value("x", "object", (1,)),)))
    many = [node("Relu", f"v{i}" if i else "x", f"v{i + 1}") for i in range(10_001)]
    with pytest.raises(FormatError, match="10001 nodes"):
        to_network(graph(*many, outputs="v1"))
    with pytest.raises(ConfigError, match="at most 1"):
        Operator("Relu", ("x", "z"), ("y",), opsets={"": 17})
    with pytest.raises(ConfigError, match="is no array"):
        unpacked((("dtype", "float32"), ("shape", (2,)), ("data", "AAAA")))


@pytest.mark.parametrize("value", [1, 0.5, "a", (1, 2), ("a",), np.float32([[1, 2]]), np.array(["é"], object)], ids=repr)
def test_attributes_are_packed_and_unpacked(value):
    there = packed(value)
    hash(there)
    back = unpacked(there)
    assert type(back) is type(value)
    np.testing.assert_array_equal(back, value)


def test_fresh_parameters():
    network = to_network(
        graph(node("Conv", "x w b", "y"), inputs=(Value("x", "float32", (None, 16, 8)),), w=floats(64, 16, 3), b=floats(64))
    )
    params, _ = network.model.init(jax.random.key(0), *network.specs)
    assert not np.any(params["Conv_0"]["b"])
    np.testing.assert_allclose(jnp.std(params["Conv_0"]["w"]), np.sqrt(2 / 48), rtol=0.06)
