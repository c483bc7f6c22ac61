"""Inputs that declare what they take: in mappings, and against what comes."""

import jax.numpy as jnp
import pytest

from zerfoo_jax.core.errors import ConfigError, GraphError
from zerfoo_jax.core.layer import walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Input, Node, model_from_spec, model_to_spec
from zerfoo_jax.layers import Dense, Embedding

GRAPH = Graph((Input("image", (None, 8, 8, 1)), "other"), (Node("d", Dense(3), ("image",)),), ("d",))


def test_a_mapping_declares_inputs():
    given = model_to_spec(GRAPH)
    assert given["inputs"] == {"image": {"shape": [None, 8, 8, 1], "dtype": "float32"}, "other": None}
    assert model_from_spec(given)[0] == GRAPH
    assert model_to_spec(Graph(("x",), GRAPH.nodes, ("x",)))["inputs"] == ["x"]


@pytest.mark.parametrize("spec", [Spec((2, 8, 8), jnp.float32), Spec((2, 8, 8, 3), jnp.float32), Spec((2, 8, 8, 1), jnp.int32)])
def test_what_is_not_declared_is_refused(spec, key):
    graph = Graph(GRAPH.inputs[:1], GRAPH.nodes, ("d",))
    (problem,) = walk(graph, spec).problems
    assert (problem.place, "declared float32 (any, 8, 8, 1), got" in problem.cause) == ("image", True)
    with pytest.raises(GraphError, match="declared float32"):
        graph.init(key, spec)
    assert walk(graph, Spec((7, 8, 8, 1), jnp.float32)).problems == []


def test_without_data_the_declaration_is_checked():
    spec = {"inputs": {"x": {"shape": [None, 3]}}, "nodes": {"e": {"type": "Embedding", "vocab_size": 3, "features": 2}}}
    with pytest.raises(ConfigError, match=r"(?s)integer input, got float32.*at model.nodes.e"):
        model_from_spec(spec)
    spec["inputs"] = {"x": {"shape": [None, 3], "dtype": "int32"}}
    assert model_from_spec(spec)[0].children()["e"] == Embedding(3, 2)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (3, "null or a mapping"),
        ({"shape": [None, -1]}, "greater than or equal to 0"),
        ({"shape": "8"}, "should be a list"),
        ({"dtype": "float32"}, "has no shape"),
        ({"shape": [2], "dtype": "float31"}, "no dtype"),
        ({"shap": [2]}, "no option 'shap'"),
        ({"shape": [2], "name": "y"}, "no option 'name'|name"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_place(declared, words):
    spec = {"inputs": {"x": declared}, "nodes": {"d": {"type": "Dense", "features": 2}}}
    with pytest.raises(ConfigError, match=rf"(?s)({words}).*at model\.inputs\.x"):
        model_from_spec(spec)
