import jax.numpy as jnp
import pytest

from zerfoo_jax.config.yaml import dump, parse
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, model_from_spec, model_to_spec
from zerfoo_jax.layers import Activation, Add, Dense, Residual, Sequential

X = Spec((1, 4), jnp.float32)

TEXT = """
inputs: [x, y]
nodes:
  wide: {type: Dense, features: 6}
  act: {type: Activation, function: relu}
  other: {type: Dense, features: 6, inputs: y}
  merged: {type: Add, inputs: [act, other]}
  block:
    type: Sequential
    layers:
      - {type: Graph, nodes: {a: {type: Dense, features: 6}, b: Add}}
      - {type: Residual, inner: {type: Dense, features: 6}}
outputs: [merged, block]
"""


def test_a_text_becomes_the_graph_it_describes():
    # `wide` takes both inputs, being first; so it is named here what feeds it.
    given = parse(TEXT).value
    given["nodes"]["wide"]["inputs"] = ["x"]
    inner = Graph(("inputs",), (Node("a", Dense(6), ("inputs",)), Node("b", Add(), ("a",))), ("b",))
    expected = Graph(
        ("x", "y"),
        (
            Node("wide", Dense(6), ("x",)),
            Node("act", Activation("relu"), ("wide",)),
            Node("other", Dense(6), ("y",)),
            Node("merged", Add(), ("act", "other")),
            Node("block", Sequential((inner, Residual(Dense(6)))), ("merged",)),
        ),
        ("merged", "block"),
    )
    model, walk = model_from_spec(given, X, Spec((1, 3), jnp.float32))
    assert model == expected
    assert walk.visits[-1].output == (Spec((1, 6), jnp.float32),) * 2
    assert model_from_spec(parse(dump(model_to_spec(model))).value)[0] == model


def test_inputs_and_outputs_may_be_left_out():
    model, _ = model_from_spec({"nodes": {"a": {"type": "Dense", "features": 2}, "b": {"type": "Dense", "features": 3}}}, X)
    assert model == Graph(("inputs",), (Node("a", Dense(2), ("inputs",)), Node("b", Dense(3), ("a",))), ("b",))


def test_a_node_may_be_a_bare_name():
    assert model_from_spec({"nodes": {"a": "Flatten"}}, X)[1].visits[-1].output == X


def test_the_given_mapping_stays_as_it_is():
    given = {"nodes": {"a": {"type": "Dense", "features": 2, "inputs": "inputs"}}}
    copy = parse(dump(given)).value
    model_from_spec(given, X)
    assert given == copy


def test_a_single_layer_is_a_model():
    model, walk = model_from_spec({"type": "Dense", "features": 3}, X)
    assert model == Dense(3)
    assert walk.visits[-1].output.shape == (1, 3)
    assert model_to_spec(model) == {"type": "Dense", "features": 3}


THREE = [
    {  # apart from one another
        "a": {"type": "Dense", "features": 4, "inputs": "nowhere"},
        "b": {"type": "Dense", "features": -3, "inputs": "inputs"},
        "c": {"type": "Dense", "features": 5, "inputs": "inputs"},
        "d": {"type": "Dense", "features": 6, "inputs": "inputs"},
        "sum": {"type": "Add", "inputs": ["c", "d"]},
    },
    {  # in one chain
        "a": {"type": "Dense", "features": 4, "inputs": "nowhere"},
        "c": {"type": "Dense", "features": 5},
        "sum": {"type": "Add", "inputs": ["a", "c"]},
        "b": {"type": "Dense", "features": -3},
    },
    {  # in the opposite order
        "b": {"type": "Dense", "features": -3},
        "c": {"type": "Dense", "features": 5},
        "d": {"type": "Dense", "features": 7},
        "sum": {"type": "Add", "inputs": ["c", "d"]},
        "a": {"type": "Add", "inputs": ["sum", "nowhere"]},
    },
]


@pytest.mark.parametrize("nodes", THREE)
@pytest.mark.parametrize("specs", [(X,), ()], ids=["data", "no data"])
def test_three_independent_errors_are_all_reported(nodes, specs):
    with pytest.raises(ConfigError) as caught:
        model_from_spec({"nodes": nodes}, *specs)
    found = {problem.place: problem.cause for problem in caught.value.problems}
    assert set(found) == {"model.nodes.a", "model.nodes.b.features", "model.nodes.sum"}
    assert "'nowhere' does not exist" in found["model.nodes.a"]
    assert "Dense.features = -3" in found["model.nodes.b.features"]
    assert "Add needs equal shapes" in found["model.nodes.sum"]


def test_a_graph_needs_no_type_inside_another_one():
    inside = {"inputs": ["p"], "nodes": {"d": {"type": "Dense", "features": 3}}, "outputs": ["d"]}
    bare, typed = ({"nodes": {"g": {"layer": layer}}} for layer in (inside, {"type": "Graph", **inside}))
    assert model_from_spec(bare)[0] == model_from_spec(typed)[0]


def test_a_misspelt_key_of_a_graph_is_named():
    with pytest.raises(ConfigError, match=r"a graph has no key 'node'\n  at model.node\n  fix: did you mean 'nodes'"):
        model_from_spec({"inputs": ["x"], "node": {"d": "Flatten"}})
