"""Graphs written node by node: names, wiring, several outputs, shared layers, values, and what is refused."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, GraphError, ShapeError
from zerfoo_jax.graph import Graph, GraphBuilder, Input, Node, Shared
from zerfoo_jax.layers import Activation, Add, BatchNorm, Concatenate, Conv2D, Dense, Embedding, Flatten, Split


def test_gives_the_graph_that_is_written_by_hand():
    builder = GraphBuilder()
    image, other = builder.input("image", (None, 8, 8, 1)), builder.input("other")
    conv = builder.add(Conv2D(8, 3), image)
    halves = builder.add(Split(2), conv, name="halves")
    again = builder.add(conv, builder.add(Conv2D(1, 3), halves[1]))
    merged = builder.add(Concatenate(), again, halves[0], other)
    assert builder.build((merged, halves[1])).graph == Graph(
        inputs=(Input("image", (None, 8, 8, 1), "float32"), "other"),
        nodes=(
            Node("conv2d_0", Conv2D(8, 3), ("image",)),
            Node("halves", Split(2), ("conv2d_0",)),
            Node("conv2d_1", Conv2D(1, 3), ("halves:1",)),
            Node("conv2d_2", Shared("conv2d_0"), ("conv2d_1",)),
            Node("concatenate_0", Concatenate(), ("conv2d_2", "halves:0", "other")),
        ),
        outputs=("concatenate_0", "halves:1"),
    )


def test_default_names_pass_over_names_in_use():
    builder = GraphBuilder()
    x = builder.input("dense_0")
    builder.add(Dense(2), x, name="dense_2")
    assert [builder.add(Dense(2), x).name for _ in range(3)] == ["dense_1", "dense_3", "dense_4"]
    assert builder.add(builder["dense_1"], x).name == "dense_5"


def test_a_layer_again_of_a_layer_again_is_the_first_ones():
    builder = GraphBuilder()
    first = builder.add(Dense(4), builder.input("x", (None, 4)))
    second = builder.add(first, first)
    third = builder.add(second[0], second)
    assert builder.build(third).graph.nodes[2] == Node("dense_2", Shared("dense_0"), ("dense_1",))


def test_holds_an_existing_graph_and_goes_on_from_there():
    graph = Graph(("x",), (Node("b", Shared("a"), ("a",)), Node("a", Dense(3), ("x",))), ("b", "a:00"))
    builder = GraphBuilder.of(graph)
    assert builder.graph(graph.outputs) == graph
    longer = builder.build(builder.add(Activation("relu"), builder["b"])).graph
    assert longer.nodes == (*graph.nodes, Node("activation_0", Activation("relu"), ("b",)))


def test_all_faults_of_shapes_are_reported_at_once():
    builder = GraphBuilder()
    x, ids = builder.input("x", (None, 8)), builder.input("ids", (None, 5), "int32")
    conv = builder.add(Conv2D(2, 3), x)
    builder.add(Embedding(5, 2), x, name="embedded")
    builder.add(Dense(3), x, ids, name="two")
    builder.add(Add(), x, ids, name="sum")
    with pytest.raises(ShapeError) as raised:
        builder.build(conv)
    assert [problem.place for problem in raised.value.problems] == ["conv2d_0", "embedded", "two", "sum"]


def test_all_faults_of_wiring_are_reported_at_once():
    builder = GraphBuilder()
    builder.add(Dense(3), "nowhere", name="a")
    builder.add(Add(), name="b")
    builder.add(Dense(3), "d", name="c")
    builder.add(Dense(3), "c", name="d")
    with pytest.raises(GraphError) as raised:
        builder.build(("a", "e"))
    causes = " ; ".join(problem.cause for problem in raised.value.problems)
    assert all(words in causes for words in ("'nowhere' does not exist", "no inputs", "circle", "output 'e' does not exist"))


def foreign() -> tuple[GraphBuilder, object]:
    other = GraphBuilder()
    return GraphBuilder(), other.add(Dense(2), other.input("x"))


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (lambda b, h: b.add(Flatten(), h), "'dense_0' belongs to another model"),
        (lambda b, h: b.add(h, b.input("x")), "belongs to another model"),
        (lambda b, h: b.build(h[1]), "'dense_0:1' belongs to another model"),
        (lambda b, h: b.add(b.input("x"), b["x"]), "'x' is an input and has no layer"),
        (lambda b, h: b.add(Dense, b.input("x")), "made of a layer or a handle"),
        (lambda b, h: (b.input("x"), b.input("x")), "'x' is used twice"),
        (lambda b, h: (b.input("x"), b.add(Flatten(), "x", name="x")), "'x' is used twice"),
        (lambda b, h: h[-1], "count outputs from 0"),
        (lambda b, h: h[0][0], "no output of 'dense_0:0'"),
        (lambda b, h: h["a"], "no output"),
        (lambda b, h: b["y"], "no input or node 'y'"),
        (lambda b, h: b.build(()), "no outputs"),
        (lambda b, h: h.value, "nothing has been computed"),
        (lambda b, h: b.input("x", value=jnp.ones(2)), "GraphBuilder\\(key="),
        (lambda b, h: b.build(b.add(Flatten(), b.input("a/b"))), "cannot name"),
    ],
)
def test_misuse_is_refused(misuse, words):
    with pytest.raises(GraphError, match=words):
        misuse(*foreign())


def test_a_handle_is_not_unpacked():
    with pytest.raises(TypeError, match="iter"):
        _first, _second = foreign()[1]  # type: ignore[misc]


def test_values_are_those_of_the_built_graph(key):
    x, y = normal(0, 3, 4), normal(1, 3, 6)
    builder = GraphBuilder(key)
    left, right = builder.input("left", value=jnp.asarray(x)), builder.input("right", (None, 6), value=jnp.asarray(y))
    hidden = builder.add(BatchNorm(), builder.add(Dense(6, bias_init="normal"), left))
    again = builder.add(hidden, right)
    halves = builder.add(Split(2), builder.add(Add(), hidden, again))
    last = builder.add(Dense(3), halves[1], name="last")
    assert halves[1].value.shape == (3, 3)
    graph = builder.build((last, halves[0])).graph

    @jax.jit
    def built(key):
        params, state = graph.init(key, x, y)
        return params, state, graph.apply(params, state, x, y)[0]

    found = (builder.params, builder.state, (last.value, halves[0].value))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, built(key))


def test_a_node_that_cannot_run_raises_at_once_with_its_name(key):
    builder = GraphBuilder(key)
    x = builder.input("x", value=jnp.ones((2, 8)))
    with pytest.raises(ShapeError, match=r"(?s)expected 4 axes.*at picture"):
        builder.add(Conv2D(2, 3), x, name="picture")
    dense = builder.add(Dense(3), x)
    with pytest.raises(ShapeError, match=r"(?s)do not fit this input.*at dense_1"):
        builder.add(dense, dense)
    with pytest.raises(GraphError, match="which has 1"):
        builder.add(Flatten(), dense[1])
    with pytest.raises(GraphError, match=r"declared float32 \(any, 3\), got float32 \(2, 8\)"):
        builder.input("y", (None, 3), value=jnp.ones((2, 8)))


def test_without_declarations_the_values_shapes_are_checked(key):
    builder = GraphBuilder(key)
    builder.input("x", value=jnp.ones((2, 8)))
    builder.add(Conv2D(2, 3), "later")
    builder.add(Dense(3), "x", name="later")
    with pytest.raises(ShapeError, match=r"expected 4 axes[^\n]*got shape \(2, 3\)"):
        builder.build("conv2d_0")


def test_a_thousand_nodes_are_built_and_checked_in_time():
    start = time.process_time()
    builder = GraphBuilder()
    handle = builder.input("x", (None, 8))
    for _ in range(1000):
        handle = builder.add(Dense(8), handle)
    assert len(builder.build(handle).graph.nodes) == 1000
    assert time.process_time() - start < 5, "1.5 s on a quiet machine"


def test_over_ten_thousand_nodes_are_refused_as_soon_as_they_are_there():
    builder, relu = GraphBuilder(), Activation("relu")
    value = builder.input("x")
    with pytest.raises(GraphError, match="over 10000 nodes\n  at activation_10000\n  fix: repeat blocks with Stack"):
        for _ in range(1_000_000):
            value = builder.add(relu, value)


@pytest.mark.parametrize("given", [3, None, np.ones(2), ["x"], Dense])
def test_what_is_no_value_of_a_graph_is_refused_in_words(given):
    builder = GraphBuilder()
    builder.input("x")
    with pytest.raises(GraphError, match=r"a value in a graph is a handle or its name, got (.|\n)*\n  at dense_0"):
        builder.add(Dense(3), given)
    if not isinstance(given, list):
        with pytest.raises(GraphError, match="a value in a graph is a handle or its name"):
            builder.build(given)
    with pytest.raises(ConfigError, match=r"Input.shape = 4: should be a list"):
        builder.input("y", 4)  # type: ignore[arg-type]
