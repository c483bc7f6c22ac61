import pytest

from zerfoo_jax.graph import Graph, Input, Node
from zerfoo_jax.graph.unknown_input import problems_for_any_input
from zerfoo_jax.layers import (
    LSTM,
    Activation,
    Add,
    Conv2D,
    CrossAttention,
    Dense,
    Embedding,
    Flatten,
    MaxPool2D,
    MultiHeadAttention,
    Residual,
    Sequential,
    Split,
    Stack,
)


def declaring(shape: tuple[int | None, ...], dtype: str = "float32") -> Graph:
    return Graph((Input("inner", shape, dtype),), (Node("t", Activation("tanh"), ("inner",)),), ("t",))


MAY_BE_RIGHT = {
    "rows": Sequential((Dense(4), Dense(2))),
    "a residual of the input's width": Sequential((Residual(Dense(64)), Dense(2))),
    "sequences": Sequential((LSTM(4, return_sequences=False), Dense(2))),
    "attention": Sequential((Residual(MultiHeadAttention(4)), Dense(2))),
    "images": Sequential((Conv2D(4, 3), MaxPool2D(2), Flatten(), Dense(3))),
    "tokens": Sequential((Embedding(10, 8), Residual(MultiHeadAttention(2)), Dense(3))),
    "a sum with the input": Graph(("x",), (Node("d", Dense(7), ("x",)), Node("sum", Add(), ("d", "x"))), ("sum",)),
    "two inputs": CrossAttention(2),
    "two inputs of the first layer": Sequential((CrossAttention(2), Dense(3))),
    "two inputs of a block": Stack(CrossAttention(2), 3),
    "outputs of a split": Graph(
        ("x",), (Node("halves", Split((1, 2)), ("x",)), Node("t", Activation("tanh"), ("halves:1",))), ("t",)
    ),
    "what a graph inside declares, behind a layer": Graph(
        ("x",), (Node("d", Dense(8), ("x",)), Node("g", declaring((None, 3, 8)), ("d",))), ("g",)
    ),
    "a dtype that a graph inside declares": Graph(
        ("x",),
        (Node("g", declaring((None, 4), "bfloat16"), ("x",)), Node("sum", Add(), ("g", "x"))),
        ("sum",),
    ),
    "as many rows as another input": Graph(
        (Input("x", (None, 4)), Input("y", (2, 4))), (Node("sum", Add(), ("x", "y")),), ("sum",)
    ),
    "tokens and images": Graph(
        ("ids", "image"),
        (
            Node("e", Embedding(5, 4), ("ids",)),
            Node("c", Sequential((Conv2D(4, 3), Flatten(), Dense(4))), ("image",)),
            Node("halves", Split(2), ("e",)),
            Node("t", Activation("tanh"), ("halves:1",)),
        ),
        ("c", "t"),
    ),
}


@pytest.mark.parametrize("name", MAY_BE_RIGHT)
def test_what_some_input_fits_is_not_blamed(name):
    assert problems_for_any_input(MAY_BE_RIGHT[name]) == []


WRONG = {
    "rows": Sequential((Dense(4), Residual(Dense(5)))),
    "sequences": Sequential((LSTM(4, return_sequences=False), Residual(Dense(5)))),
    "images": Sequential((Conv2D(4, 3), Flatten(), Dense(4), Residual(Dense(5)))),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_input_could_mend_is_reported(name):
    (problem,) = problems_for_any_input(WRONG[name])
    assert problem.place == "residual_0"
    assert "equal shapes" in problem.cause
    assert "follow" not in problem.cause


def test_several_inputs():
    join = Graph(
        ("x", "y"), (Node("x5", Dense(5), ("x",)), Node("y6", Dense(6), ("y",)), Node("s", Add(), ("x5", "y6"))), ("s",)
    )
    assert [problem.place for problem in problems_for_any_input(join)] == ["s"]


def test_declared_inputs_are_taken_as_they_are():
    nodes = (Node("d", Dense(5), ("x",)), Node("s", Add(), ("d", "y")))
    fits = Graph((Input("x", (None, 3)), Input("y", (None, 5))), nodes, ("s",))
    assert problems_for_any_input(fits) == []
    wrong = Graph((Input("x", (None, 3)), Input("y", (None, 4))), nodes, ("s",))
    (problem,) = problems_for_any_input(wrong)
    assert "(1, 5) and (1, 4)" in problem.cause
