import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal, random_variables
from zerfoo_jax.core.errors import GraphError, ShapeError
from zerfoo_jax.core.layer import check, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, model_from_spec, model_to_spec
from zerfoo_jax.layers import Activation, Add, BatchNorm, Concatenate, Dense, Dropout, Residual, Sequential, Stack

F32 = jnp.float32

BRANCHES = Graph(
    inputs=("x", "y"),
    nodes=(  # in no order
        Node("sum", Add(), ("left", "right", "left")),
        Node("right", Dense(5), ("y",)),
        Node("left", Sequential((Dense(5), Activation("tanh"))), ("x",)),
        Node("both", Concatenate(), ("sum", "x")),
    ),
    outputs=("both", "right"),
)


def wired_by_hand(params, x, y):
    left = np.tanh(x @ params["left"]["dense_0"]["kernel"] + params["left"]["dense_0"]["bias"])
    right = y @ params["right"]["kernel"] + params["right"]["bias"]
    return np.concatenate([left + right + left, x], -1), right


def test_a_graph_computes_what_the_same_network_wired_by_hand_does():
    x, y = normal(0, 3, 4), normal(1, 3, 7)
    params, state = random_variables(BRANCHES, x, y)
    output, new_state = BRANCHES.apply(params, state, x, y)
    for found, expected in zip(output, wired_by_hand(jax.tree.map(np.asarray, params), x, y), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (state, new_state) == ({}, {})


def test_the_order_of_the_nodes_changes_nothing(key):
    turned = Graph(BRANCHES.inputs, BRANCHES.nodes[::-1], BRANCHES.outputs)
    specs = Spec((1, 4), F32), Spec((1, 7), F32)
    jax.tree.map(np.testing.assert_array_equal, BRANCHES.init(key, *specs), turned.init(key, *specs))
    assert check(turned, *specs) == check(BRANCHES, *specs) == (Spec((1, 9), F32), Spec((1, 5), F32))


def test_the_gradient_reaches_every_node():
    x, y = normal(0, 3, 4), normal(1, 3, 7)
    params, state = random_variables(BRANCHES, x, y)
    grads = jax.grad(lambda p: sum(jnp.sum(o**2) for o in BRANCHES.apply(p, state, x, y)[0]))(params)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads))


def test_one_output_comes_as_it_is_and_several_as_a_tuple(key):
    one = Graph(("x",), (Node("a", Dense(2), ("x",)),), ("a",))
    several = Graph(("x",), one.nodes, ("a", "x", "a"))
    params, state = one.init(key, Spec((1, 3), F32))
    x = jnp.ones((2, 3))
    assert one.apply(params, state, x)[0].shape == (2, 2)
    assert [o.shape for o in several.apply(params, state, x)[0]] == [(2, 2), (2, 3), (2, 2)]


def test_state_and_randomness_go_to_the_nodes(key):
    graph = Graph(
        ("x",),
        (Node("norm", BatchNorm(), ("x",)), Node("drop", Dropout(0.5), ("norm",)), Node("again", Dropout(0.5), ("norm",))),
        ("norm", "drop", "again"),
    )
    x = 3 + normal(0, 16, 5)
    params, state = graph.init(key, x)
    (norm, drop, again), new = graph.apply(params, state, x, key=key, train=True)
    assert sorted(new) == ["norm"]
    assert not np.array_equal(new["norm"]["mean"], state["norm"]["mean"])
    assert not np.array_equal(drop, norm)
    assert not np.array_equal(drop, again), "each node has a key of its own"


def test_graphs_nest_in_every_way(key):
    inner = Graph(("x",), (Node("dense", Dense(4), ("x",)), Node("act", Activation("relu"), ("dense",))), ("act",))
    outer = Graph(
        ("x",),
        (
            Node("first", inner, ("x",)),
            Node("second", Sequential((inner, Residual(inner), Stack(inner, 3))), ("first",)),
        ),
        ("second",),
    )
    params, state = outer.init(key, Spec((1, 4), F32))
    assert params["first"]["dense"]["kernel"].shape == (4, 4)
    assert params["second"]["stack_0"]["dense"]["kernel"].shape == (3, 4, 4)
    x = normal(0, 2, 4)
    y, _ = outer.apply(params, state, x)

    def block(p, x):
        return np.maximum(x @ p["dense"]["kernel"] + p["dense"]["bias"], 0)

    p = jax.tree.map(np.asarray, params)
    expected = block(p["second"]["graph_0"], block(p["first"], x))
    expected = expected + block(p["second"]["residual_0"]["inner"], expected)
    for i in range(3):
        expected = block(jax.tree.map(lambda a, i=i: a[i], p["second"]["stack_0"]), expected)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_adding_a_node_leaves_the_others_initial_values(key):
    grown = Graph(BRANCHES.inputs, (Node("extra", Dense(3), ("x",)), *BRANCHES.nodes), BRANCHES.outputs)
    specs = Spec((1, 4), F32), Spec((1, 7), F32)
    params = dict(grown.init(key, *specs)[0])
    del params["extra"]
    jax.tree.map(np.testing.assert_array_equal, params, BRANCHES.init(key, *specs)[0])


def test_a_graph_is_a_value():
    same = Graph(list(BRANCHES.inputs), list(BRANCHES.nodes), list(BRANCHES.outputs))
    assert same == BRANCHES
    assert hash(same) == hash(BRANCHES)
    assert pickle.loads(pickle.dumps(BRANCHES)) == BRANCHES
    assert Graph(("x",), BRANCHES.nodes, BRANCHES.outputs) != BRANCHES


def test_a_graph_comes_back_from_its_mapping():
    deep = Graph(("x", "y"), (Node("g", Sequential((BRANCHES,)), ("x", "y")),), ("g",))
    for graph in (BRANCHES, deep):
        back, _ = model_from_spec(model_to_spec(graph), Spec((1, 4), F32), Spec((1, 7), F32))
        assert back == graph


def test_initialising_a_wrong_graph_raises_with_node_names(key):
    graph = Graph(("x",), (Node("a", Dense(2), ("b",)), Node("c", Dense(2), ("c",))), ("a",))
    with pytest.raises(GraphError, match=r"'b' does not exist[^\n]*\n  at a") as caught:
        graph.init(key, Spec((1, 3), F32))
    assert len(caught.value.problems) == 2


def test_checking_reports_shapes_with_node_paths():
    graph = Graph(
        ("x",),
        (
            Node("a", Dense(5), ("x",)),
            Node("b", Sequential((Dense(3), Residual(Dense(4)))), ("x",)),
            Node("c", Add(), ("a", "x")),
        ),
        ("b", "c"),
    )
    with pytest.raises(ShapeError) as caught:
        check(graph, Spec((1, 2), F32))
    assert [problem.place for problem in caught.value.problems] == ["b/residual_0", "c"]


def test_the_walk_meets_every_layer_once_in_order_of_use():
    visits = walk(BRANCHES, Spec((1, 4), F32), Spec((1, 7), F32)).visits
    paths = [visit.path for visit in visits]
    assert sorted(paths) == ["", "both", "left", "left/activation_0", "left/dense_0", "right", "sum"]
    assert paths.index("left") < paths.index("sum") < paths.index("both")
    assert paths.index("right") < paths.index("sum")


SPLIT = Graph(
    inputs=("x",),
    nodes=(Node("pair", BRANCHES, ("x", "x")), Node("second", Activation("tanh"), ("pair:1",))),
    outputs=("second", "pair:0"),
)


def test_one_of_several_outputs_is_named_by_its_number(key):
    x = normal(0, 3, 4)
    params, state = SPLIT.init(key, jax.ShapeDtypeStruct((3, 4), F32))
    (second, first), _ = SPLIT.apply(params, state, x)
    both, right = BRANCHES.apply(params["pair"], {}, x, x)[0]
    np.testing.assert_allclose(second, np.tanh(right), rtol=1e-6)
    np.testing.assert_allclose(first, both, rtol=1e-6)
    assert model_from_spec(model_to_spec(SPLIT))[0] == SPLIT


@pytest.mark.parametrize(("wire", "words"), [("pair:2", "which has 2"), ("x:0", "which has 1"), ("pair", "got a tuple")])
def test_an_output_that_does_not_exist_is_refused(wire, words):
    graph = Graph(("x",), (SPLIT.nodes[0], Node("next", Dense(2), (wire,))), ("next",))
    with pytest.raises((ShapeError, GraphError), match=words):
        check(graph, Spec((3, 4), "float32"))


def test_faults_behind_a_missing_output_are_found_too():
    wrong = Graph(
        ("x",),
        (
            Node("a", Dense(4), ("x",)),
            Node("b", Activation("relu"), ("a:1",)),
            Node("c", Add(), ("x", "a")),
            Node("d", Dense(3), ("a:2",)),
        ),
        ("b", "c", "d", "x:1"),
    )
    for model, inside in ((wrong, ""), (Graph(("y",), (Node("w", wrong, ("y",)),), ("w:0",)), "w/")):
        found = [problem.place for problem in walk(model, Spec((2, 5), F32)).problems]
        assert found == [f"{inside}{place}" for place in ("a", "c", "a", "x")]


def test_every_circle_is_listed_and_a_wrong_name_is_one_fault():
    nodes = [Node(name, Activation("relu"), (feed,)) for name, feed in ("ab", "ba", "cd", "dc", "ee")]
    problems = walk(Graph(("x",), tuple(nodes), ("a",)), Spec((2, 4), F32)).problems
    assert [problem.cause.partition(": ")[2] for problem in problems] == ["a -> b -> a", "c -> d -> c", "e -> e"]
    misnamed = Graph(("x",), (Node("a:1", Dense(3), ("x",)), Node("x", Dense(3), ("a:1",))), ("a:1",))
    assert [problem.place for problem in walk(misnamed, Spec((2, 4), F32)).problems] == ["x", "a:1"]


def test_too_many_or_too_few_arrays_are_refused_in_words(key):
    params, state = BRANCHES.init(key, Spec((2, 3), F32), Spec((2, 4), F32))
    with pytest.raises(GraphError, match=r"the graph takes 2 inputs \('x', 'y'\), got 1"):
        BRANCHES.apply(params, state, jnp.ones((2, 3)))
