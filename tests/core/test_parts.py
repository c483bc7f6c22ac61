"""The layers that a layer holds, and others in their places."""

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.parts import map_parts, parts, with_part
from zerfoo_jax.graph import Graph, Node
from zerfoo_jax.layers import Activation, Dense, MultiHeadAttention, Residual, RMSNorm, RotaryPositions, Sequential

INNER = Residual(Dense(2))
GRAPH = Graph(("x",), (Node("a", INNER, ("x",)), Node("b", Dense(3), ("a",))), ("b",))


def test_parts_stand_in_fields_tuples_and_nodes_but_not_in_parts():
    assert parts(GRAPH) == (INNER, Dense(3))
    assert parts(Sequential((INNER, Dense(3)))) == (INNER, Dense(3))
    assert parts(MultiHeadAttention(2, qk_norm=RMSNorm(), rotary=RotaryPositions())) == (RMSNorm(), RotaryPositions())
    assert parts(INNER) == (Dense(2),) and parts(Dense(2)) == ()


def test_one_part_changes_and_the_rest_is_the_same_object():
    changed = with_part(GRAPH, 1, Activation("tanh"))
    assert changed.nodes == (GRAPH.nodes[0], Node("b", Activation("tanh"), ("a",)))
    assert changed.nodes[0] is GRAPH.nodes[0] and changed.inputs is not None
    assert map_parts(GRAPH, lambda part: part) is GRAPH
    equal = Sequential((Dense(2), Dense(2)))
    assert with_part(equal, 1, Dense(3)) == Sequential((Dense(2), Dense(3)))


def test_fields_check_what_is_put_into_them():
    with pytest.raises(ConfigError, match="rotary"):
        with_part(MultiHeadAttention(2, rotary=RotaryPositions()), 0, Dense(3))
