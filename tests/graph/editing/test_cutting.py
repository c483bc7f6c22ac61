"""Parts of graphs: both halves together compute what the whole does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.networks import random_network
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Input, Node, Shared, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import chain, subgraph
from zerfoo_jax.layers import Add, Concatenate, Dense, Split


def test_two_halves_make_the_whole(resnet, resnet_output):
    body = subgraph(resnet, outputs=["layer2"])
    head = subgraph(resnet, inputs=["layer2"])
    assert sorted(body.params) == ["bn1", "conv1", "layer1", "layer2"] and sorted(head.params) == ["fc", "layer3", "layer4"]
    assert head.specs[0].shape == (2, 4, 4, 3) and head.model.input_names == ("layer2",)
    assert body.state["layer1"] == resnet.state["layer1"]
    x, whole = resnet_output
    again = chain({"body": body, "head": head})
    assert again.params["body"]["conv1"]["kernel"] is resnet.params["conv1"]["kernel"]
    np.testing.assert_array_equal(jax.jit(again.__call__)(x), whole)
    assert model_from_spec(model_to_spec(again.model))[0] == again.model


def test_a_sequential_is_cut_as_the_graph_of_its_layers(perceptron):
    features = subgraph(perceptron, outputs=["activation_1", "activation_0"])
    x = normal(0, 2, 8, 8, 1)
    params = jax.tree.map(np.asarray, perceptron.params)
    first = np.tanh(x.reshape(2, 64) @ params["dense_0"]["kernel"] + params["dense_0"]["bias"])
    second = np.tanh(first @ params["dense_1"]["kernel"] + params["dense_1"]["bias"])
    for found, expected in zip(features(x), (second, first), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def diamond():
    nodes = (
        Node("split", Split((2, 2)), ("x",)),
        Node("left", Dense(3), ("split:0",)),
        Node("right", Shared("left"), ("split:1",)),
        Node("more", Shared("left"), ("split:1",)),
        Node("sum", Add(), ("left", "right")),
        Node("join", Concatenate(), ("right", "more", "y")),
    )
    graph = Graph((Input("x", (None, 4)), "y"), nodes, ("sum", "join"))
    return random_network(graph, Spec((2, 4), jnp.float32), Spec((2, 1), jnp.float32))


def test_one_of_several_outputs_and_the_heirs_of_a_shared_layer():
    network, x, y = diamond(), normal(0, 2, 4), normal(1, 2, 1)
    cut = subgraph(network, inputs=["split:1", "y"], outputs=["join"])
    assert cut.model.input_names == ("split_1", "y") and [spec.shape for spec in cut.specs] == [(2, 2), (2, 1)]
    assert list(cut.params) == ["right"] and cut.params["right"]["kernel"] is network.params["left"]["kernel"]
    np.testing.assert_array_equal(cut(x[:, 2:], y), network(x, y)[1])
    declared = subgraph(network, inputs=["x"], outputs=["sum"])
    assert declared.model.inputs == (Input("x", (None, 4)),)


def test_all_that_is_missing_or_not_needed_is_listed(transformer):
    network = diamond()
    with pytest.raises(GraphError, match=r"(?s)3 problems.*need 'x'.*need 'y'.*do not need 'sum'"):
        subgraph(network, inputs=["sum", "split:1"], outputs=["join", "left"])
    with pytest.raises(GraphError, match=r"(?s)'joim' comes from no node or input.*did you mean 'join'"):
        subgraph(network, outputs=["joim"])
    with pytest.raises(GraphError, match="a Dense has no wires to cut"):
        subgraph(random_network(Dense(2), Spec((1, 2), jnp.float32)), outputs=["x"])
    assert sorted(subgraph(transformer, inputs=["stack_0"]).params) == ["head", "norm"]
