"""Networks side by side and one behind the other."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.networks import random_network
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Input, Node, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import chain, merge
from zerfoo_jax.layers import BatchNorm, Dense, Sequential, Split


def test_side_by_side_each_keeps_inputs_outputs_and_arrays(perceptron):
    graph = Graph((Input("a", (None, 4)), "b"), (Node("s", Split((1, 3)), ("a",)), Node("d", Dense(2), ("b",))), ("s:1", "d"))
    other = random_network(graph, Spec((2, 4), jnp.float32), Spec((2, 3), jnp.float32))
    both = merge({"left": perceptron, "right": other})
    assert both.model.inputs == (Input("left_inputs"), Input("right_a", (None, 4)), Input("right_b"))
    assert both.model.outputs == ("left", "right:0", "right:1") and sorted(both.params) == ["left", "right"]
    assert both.params["left"]["dense_0"]["kernel"] is perceptron.params["dense_0"]["kernel"]
    x, a, b = normal(0, 2, 8, 8, 1), normal(1, 2, 4), normal(2, 2, 3)
    for found, expected in zip(both(x, a, b), (perceptron(x), *other(a, b)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert model_from_spec(model_to_spec(both.model))[0] == both.model


def test_behind_each_other_outputs_are_inputs(perceptron):
    head = random_network(Sequential((BatchNorm(), Dense(2))), Spec((2, 3), jnp.float32))
    both, x = chain({"body": perceptron, "head": head}), normal(0, 2, 8, 8, 1)
    np.testing.assert_array_equal(both(x), head(perceptron(x)))
    assert both.state["head"] == head.state and both.specs == perceptron.specs
    wrong = random_network(Dense(2), Spec((2, 5), jnp.float32))
    with pytest.raises(GraphError, match=r"kernel is \(5, 2\), and the edited model needs \(3, 2\)\n  at head"):
        chain({"body": perceptron, "head": wrong})
    with pytest.raises(GraphError, match="no networks to join"):
        merge({})
