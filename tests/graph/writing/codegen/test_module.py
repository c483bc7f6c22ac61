"""The text of generated modules; that it gives equal models is tested in `test_forms.py`."""

from dataclasses import dataclass

import pytest

from tests.support.custom_layers import Dense as CustomDense
from tests.support.custom_layers import Scale, Window
from zerfoo_jax.core.errors import ConfigError, GraphError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph import Declared, Graph, Input, Node, Shared, declare, graph_of, node, to_python, to_yaml
from zerfoo_jax.layers import LSTM, Activation, Add, Conv1D, Dense, Residual, Sequential, Split, Stack

BLOCK = graph_of({"0": Dense(4), "relu": Activation({"name": "leaky_relu", "negative_slope": 0.3})})
WHOLE = Graph(
    inputs=(Input("x", (None, 4)), Input("ids", (None, 2), "int32"), "class"),
    nodes=(
        Node("first", BLOCK, ("x",)),
        Node("early", Shared("late"), ("first",)),
        Node("late", Dense(4, kernel_init={"name": "normal", "stddev": 0.02}, bias_init="normal", use_bias=True), ("x",)),
        Node("again", Shared("late"), ("early",)),
        Node("body", Sequential((BLOCK, Residual(Stack(graph_of({"d": Dense(4)}), 2)))), ("again",)),
        Node("halves", Split(2), ("body",)),
        Node("node", Add(), ("halves:1", "halves:01", "class")),
    ),
    outputs=("node", "halves:0"),
)
TEXT = '''"""`Whole.model` is the model."""

from zerfoo_jax.graph import Declared, Shared, declare, node
from zerfoo_jax.layers import Activation, Add, Dense, Residual, Sequential, Split, Stack


class First(Declared):
    inputs = declare()
    node_0 = node(Dense(4), inputs, name="0")
    relu = node(Activation({"name": "leaky_relu", "negative_slope": 0.3}), node_0)
    outputs = relu


class BodyLayersPart1InnerBlock(Declared):
    inputs = declare()
    d = node(Dense(4), inputs)
    outputs = d


class Whole(Declared):
    x = declare((None, 4))
    ids = declare((None, 2), "int32")
    class_ = declare(name="class")
    first = node(First.model, x)
    early = node(Shared("late"), first)
    late = node(
        Dense(4, kernel_init={"name": "normal", "stddev": 0.02}, bias_init="normal"),
        x,
    )
    again = node(late, early)
    body = node(
        Sequential((First.model, Residual(Stack(BodyLayersPart1InnerBlock.model, 2)))),
        again,
    )
    halves = node(Split(2), body)
    node_ = node(Add(), halves[1], "halves:01", class_, name="node")
    outputs = (node_, halves[0])
'''


def test_writes_what_a_person_would_have_written():
    assert to_python(WHOLE, "Whole") == TEXT


def test_a_tuple_of_one_that_is_too_long_is_broken_inside():
    initializer = {"name": "uniform", "low": -0.12345678, "high": 0.12345678}
    assert to_python(Sequential((Dense(4, kernel_init=initializer),))).endswith("""
class Model(Declared):
    model = Sequential(
        (
            Dense(
                4,
                kernel_init={"name": "uniform", "low": -0.12345678, "high": 0.12345678},
            ),
        ),
    )
""")


TUPLE_OF_ONE = Scale(2, window=(Dense(4, kernel_init="truncated_normal", bias_init="truncated_normal"),), sizes=(1,))


def test_a_tuple_of_one_is_broken_inside_even_if_its_item_fits_on_a_line():
    assert to_python(TUPLE_OF_ONE).endswith("""
class Model(Declared):
    model = Scale(
        2,
        window=(
            Dense(
                4,
                kernel_init="truncated_normal",
                bias_init="truncated_normal",
            ),
        ),
        sizes=(1,),
    )
""")


def test_layers_of_other_modules_are_imported_from_there():
    text = to_python(Sequential((Scale(2, window=Window(3)), CustomDense(1), Dense(3), LSTM(2), Conv1D(2, 1))))
    assert text.startswith('''"""`Model.model` is the model."""

from tests.support.custom_layers import Dense, Scale, Window
from zerfoo_jax.graph import Declared
from zerfoo_jax.layers import LSTM, Conv1D, Sequential
from zerfoo_jax.layers import Dense as Dense2
''')
    assert "Scale(2, window=Window(3)), Dense(1), Dense2(3), LSTM(2), Conv1D(2, 1)" in text


def test_classes_of_parts_and_imports_keep_out_of_each_others_way():
    inner = graph_of({"a": Dense(4)})
    text = to_python(graph_of({"scale": inner, "next": Scale(2, window=None), "window": graph_of({"b": Dense(3)})}), "Window")
    assert "from tests.support.custom_layers import Scale as Scale2\n" in text
    assert all(f"class {name}(Declared)" in text for name in ("Scale", "Windowx2", "Window"))


def test_classes_that_cannot_be_imported_are_refused():
    @dataclass(frozen=True)
    class Local(Layer):
        size: int = 1

    with pytest.raises(ConfigError, match=r"Local cannot be imported"):
        to_python(Local())
    with pytest.raises(ConfigError, match="unknown layer 'Local'"):
        to_yaml(Local())


def test_values_that_have_no_source_are_refused():
    with pytest.raises(ConfigError, match=r"object at .* cannot be written as Python source"):
        to_python(Scale(2, window=object()))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "3x", "a b", "class", "Dense", "__Model", "x;y"])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ConfigError, match="cannot name the class"):
        to_python(Dense(3), name)


def test_wrong_wiring_is_refused_with_its_place():
    bad = Graph(("x",), (Node("a", Dense(3), ("y",)),), ("a",))
    with pytest.raises(GraphError, match=r"(?s)'y' does not exist.*at outer/a"):
        to_python(graph_of({"outer": bad}))


def test_nesting_too_deep_is_refused():
    layer: Layer = Dense(3)
    for _ in range(63):
        layer = Residual(layer)
    assert "Dense(" in to_python(layer)
    with pytest.raises(ConfigError, match="nested over 64 deep"):
        to_python(Residual(Residual(layer)))


def test_the_class_in_the_docstring_is_the_model():
    class Whole(Declared):
        inputs = declare()
        hidden = node(Dense(4), inputs, name="0")
        outputs = hidden

    assert Whole.model == graph_of({"0": Dense(4)})
