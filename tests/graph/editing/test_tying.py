"""Tied nodes: one set of parameters, outputs by hand, and what does not fit."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.networks import random_network
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Shared, graph_of, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import tie
from zerfoo_jax.layers import Bias, Dense


def network_of(nodes):
    return random_network(graph_of(nodes), Spec((2, 4), jnp.float32))


def test_both_nodes_run_with_the_parameters_of_one():
    network = network_of({name: Dense(4, use_bias=False) for name in "abc"} | {"d": Shared("c")})
    tied = tie(tie(network, "b", to="a"), "c", to="b")
    assert list(tied.params) == ["a"] and tied.params["a"]["kernel"] is network.params["a"]["kernel"]
    assert [node.layer for node in tied.model.nodes[1:]] == [Shared("a")] * 3
    x, kernel = normal(0, 2, 4), np.asarray(network.params["a"]["kernel"])
    np.testing.assert_allclose(tied(x), x @ np.linalg.matrix_power(kernel, 4), rtol=1e-4, atol=1e-5)
    assert model_from_spec(model_to_spec(tied.model))[0] == tied.model


def test_inside_a_graph_of_graphs(resnet):
    tied = tie(resnet, "layer1/1/conv2", to="layer1/1/conv1")
    assert sorted(tied.params["layer1"]["1"]) == ["bn1", "bn2", "conv1"]
    assert tied.params["layer1"]["0"]["conv1"]["kernel"] is resnet.params["layer1"]["0"]["conv1"]["kernel"]


def test_what_does_not_fit_is_listed(perceptron):
    network = network_of({"a": Dense(4), "b": Dense(4), "c": Bias(), "d": Dense(3), "g": graph_of({"a": Dense(3)})})
    with pytest.raises(GraphError, match=r"(?s)2 problems.*is a Bias, and 'a' a Dense\n  at c.*has variables"):
        tie(network, "c", to="a")
    with pytest.raises(GraphError, match=r"has variables .*\(4, 3\).*'a'.*\(4, 4\)"):
        tie(network, "d", to="a")
    for path, to in (("a", "g/a"), ("a", "a"), ("", "a")):
        with pytest.raises(GraphError, match="not two nodes of one graph"):
            tie(network, path, to=to)
    with pytest.raises(GraphError, match="not two nodes of one graph"):
        tie(perceptron, "dense_1", to="dense_0")
