"""Models as classes: what they give, and what is refused when the class is made."""

import pytest

from zerfoo_jax.core.errors import ConfigError, GraphError
from zerfoo_jax.graph import Declared, Graph, GraphBuilder, Input, Node, Shared, declare, node
from zerfoo_jax.layers import Activation, Add, Conv2D, Dense, Flatten, Sequential, Split


class TwoWays(Declared):
    image = declare((None, 8, 8, 1))
    mask = declare((None, 3), "bool", name="0")
    conv = node(Conv2D(8, 3), image)
    relu = node(Activation("relu"), conv)
    halves = node(Split(2), relu)
    second = halves[1]
    again = node(conv, "later")
    later = node(Conv2D(1, 1), second, name="later")
    merged = node(Add(), again, node(Activation("tanh"), conv, name="inline"))
    outputs = merged, second, mask


def test_gives_the_graph_that_is_written_by_hand():
    assert TwoWays.model == Graph(
        inputs=(Input("image", (None, 8, 8, 1)), Input("0", (None, 3), "bool")),
        nodes=(
            Node("conv", Conv2D(8, 3), ("image",)),
            Node("relu", Activation("relu"), ("conv",)),
            Node("halves", Split(2), ("relu",)),
            Node("again", Shared("conv"), ("later",)),
            Node("later", Conv2D(1, 1), ("halves:1",)),
            Node("inline", Activation("tanh"), ("conv",)),
            Node("merged", Add(), ("again", "inline")),
        ),
        outputs=("merged", "halves:1", "0"),
    )


def test_one_output_may_be_a_node_written_there():
    class Small(Declared):
        x = declare()
        outputs = node(Dense(3), x)

    assert Small.model == Graph(("x",), (Node("outputs", Dense(3), ("x",)),), ("outputs",))


def test_a_loop_writes_nodes_with_names():
    class Chain(Declared):
        x = declare()
        last = x
        for i in range(3000):  # noqa: RUF100
            last = node(Flatten(), last, name=f"flatten_{i}")
        outputs = last

    assert isinstance(Chain.model, Graph)
    assert [one.name for one in Chain.model.nodes] == [f"flatten_{i}" for i in range(3000)]


def test_a_class_may_be_one_layer_of_any_kind():
    class Whole(Declared):
        model = Sequential((Flatten(), TwoWays.model))

    assert Whole.model == Sequential((Flatten(), TwoWays.model))


def no_outputs() -> None:
    class Bad(Declared):
        x = declare()


def strange_outputs() -> None:
    class Bad(Declared):
        x = declare()
        outputs = x, Dense(3)  # type: ignore[assignment]


def model_that_is_no_layer() -> None:
    class Bad(Declared):
        model = declare()  # type: ignore[assignment]
        outputs = model


def model_and_nodes() -> None:
    class Bad(Declared):
        x = declare()
        model = Dense(3)


def extended() -> None:
    class Bad(TwoWays):
        more = node(Dense(3), TwoWays.relu)
        outputs = more


def of_another_class() -> None:
    class Bad(Declared):
        more = node(Dense(3), TwoWays.relu)
        outputs = more


def of_a_builder() -> None:
    class Bad(Declared):
        more = node(Dense(3), GraphBuilder().input("x"))
        outputs = more


def without_name() -> None:
    class Bad(Declared):
        x = declare()
        y = node(Dense(3), node(Flatten(), x))
        outputs = y


def unknown_name() -> None:
    class Bad(Declared):
        x = declare()
        dense = node(Dense(3), "y")
        other = node(Shared("conv"), x)
        outputs = dense


def same_name() -> None:
    class Bad(Declared):
        x = declare()
        y = node(Flatten(), x, name="x")
        outputs = y


def class_as_layer() -> None:
    class Bad(Declared):
        x = declare()
        y = node(TwoWays, x)  # type: ignore[arg-type]
        outputs = y


def input_as_layer() -> None:
    class Bad(Declared):
        x = declare()
        y = node(x, x)
        outputs = y


def circle() -> None:
    class Bad(Declared):
        x = declare()
        a = node(Add(), x, "b")
        b = node(Flatten(), a)
        outputs = b


REFUSED = {
    no_outputs: "has no outputs",
    strange_outputs: r"should be a node or a tuple of nodes",
    model_that_is_no_layer: r"is no layer",
    model_and_nodes: "here are both: x",
    extended: "extends Declared alone",
    of_another_class: "'relu' belongs to another model",
    of_a_builder: "'x' belongs to another model",
    without_name: "has no name: Flatten",
    unknown_name: "(?s)2 problems.*'y' does not exist.*no node 'conv' has a layer to share",
    same_name: "the name 'x' is used twice",
    class_as_layer: "(?s)made of a layer or a handle.*use its `model`",
    input_as_layer: "'x' is an input and has no layer",
    circle: "circle: a -> b -> a|circle: b -> a -> b",
}


@pytest.mark.parametrize("write", REFUSED)
def test_misuse_is_refused_when_the_class_is_made(write):
    with pytest.raises(GraphError, match=REFUSED[write]) as raised:
        write()
    assert all(problem.place.startswith("Bad") for problem in raised.value.problems)


def test_a_wrong_declaration_is_refused_where_it_stands():
    with pytest.raises(ConfigError, match="greater than or equal to 0"):
        declare((None, -1))
    with pytest.raises(ConfigError, match="no dtype"):
        declare((None, 1), "float31")
