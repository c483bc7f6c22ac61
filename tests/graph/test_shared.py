"""One layer at several places: parameters, state, randomness, and what can be wrong with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import GraphError, ShapeError
from zerfoo_jax.core.layer import check, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, Shared, graph_of, model_from_spec, model_to_spec
from zerfoo_jax.layers import Activation, Add, BatchNorm, Dense, Dropout, Sequential

ENCODER = Sequential((Dense(4), Activation("tanh")))
SIAMESE = Graph(
    ("x", "y"),
    (
        Node("other", Shared("encoder"), ("y",)),
        Node("encoder", ENCODER, ("x",)),
        Node("sum", Add(), ("encoder", "other")),
    ),
    ("sum",),
)


def test_both_places_use_the_same_parameters(key):
    x, y = normal(0, 3, 5), normal(1, 3, 5)
    params, _ = SIAMESE.init(key, x, y)
    assert sorted(params) == ["encoder"]
    kernel, bias = np.asarray(params["encoder"]["dense_0"]["kernel"]), np.asarray(params["encoder"]["dense_0"]["bias"])
    expected = np.tanh(x @ kernel + bias) + np.tanh(y @ kernel + bias)
    np.testing.assert_allclose(SIAMESE.apply(params, {}, x, y)[0], expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_is_the_sum_over_both_places(key):
    x, y = normal(0, 3, 5), normal(1, 3, 5)
    params, _ = SIAMESE.init(key, x, y)

    def by_hand(p, q):
        (left, _), (right, _) = ENCODER.apply(p, {}, x), ENCODER.apply(q, {}, y)
        return jnp.sum((left + right) ** 2)

    found = jax.grad(lambda p: jnp.sum(SIAMESE.apply(p, {}, x, y)[0] ** 2))(params)["encoder"]
    left, right = jax.grad(by_hand, (0, 1))(params["encoder"], params["encoder"])
    jax.tree.map(lambda f, a, b: np.testing.assert_allclose(f, a + b, rtol=1e-5, atol=1e-6), found, left, right)


def test_state_passes_from_place_to_place_and_randomness_does_not(key):
    norm = graph_of({"norm": BatchNorm(momentum=0.5), "again": (Shared("norm"), "inputs")})
    x = 3 + normal(0, 16, 5)
    params, state = norm.init(key, x)
    _, new = norm.apply(params, state, x, train=True)
    _, once = graph_of({"norm": BatchNorm(momentum=0.5)}).apply(params, state, x, train=True)
    _, twice = graph_of({"norm": BatchNorm(momentum=0.5)}).apply(params, once, x, train=True)
    np.testing.assert_allclose(new["norm"]["mean"], twice["norm"]["mean"], rtol=1e-6)

    drop = Graph(("x",), (Node("a", Dropout(0.5), ("x",)), Node("b", Shared("a"), ("x",))), ("a", "b"))
    (a, b), _ = drop.apply({}, {}, jnp.ones((4, 64)), key=key, train=True)
    assert not np.array_equal(a, b)


def test_a_mapping_says_it_too():
    given = model_to_spec(SIAMESE)
    assert given["nodes"]["other"] == {"type": "Shared", "node": "encoder", "inputs": ["y"]}
    assert model_from_spec(given)[0] == SIAMESE


def test_the_second_place_must_fit_the_parameters():
    x, y = Spec((2, 5), jnp.float32), Spec((2, 6), jnp.float32)
    with pytest.raises(ShapeError, match=r"(?s)do not fit this input.*kernel \(6, 4\).*kernel \(5, 4\).*at encoder"):
        check(SIAMESE, x, y)


@pytest.mark.parametrize("node", ["encodr", "x", "other"])
def test_what_has_no_layer_to_share_is_named(node):
    graph = Graph(("x",), (Node("encoder", ENCODER, ("x",)), Node("other", Shared(node), ("x",))), ("other",))
    (problem,) = walk(graph, Spec((2, 5), jnp.float32)).problems
    assert problem.place == "other" and f"no node {node!r} has a layer to share" in problem.cause


def test_outside_a_graph_there_is_nothing_to_share(key):
    with pytest.raises(GraphError, match="put it into a graph"):
        Sequential((Shared("a"),)).init(key, Spec((2, 5), jnp.float32))
