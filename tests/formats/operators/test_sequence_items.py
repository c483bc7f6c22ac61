"""Sequences whose items are known by place, in networks: what exporters make of split, chunk, unbind and stack."""

import numpy as np
import pytest

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.operators import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.network import to_network

X = np.arange(2 * 7 * 3, dtype=np.float32).reshape(2, 7, 3)


def node(op_type, inputs, outputs, **attributes):
    return OperatorNode(op_type, tuple(inputs.split()), tuple(outputs.split()), attributes)


def given(*nodes, version=17, **arrays):
    parameters = {name: np.asarray(value, np.int64) for name, value in arrays.items()}
    inputs = (Value("x", "float32", (None, 7, 3)),)
    network = to_network(OperatorGraph(nodes, inputs, (Value("y"),), parameters, {"": version}))
    return np.asarray(network(X))


@pytest.mark.parametrize(
    ("split", "place", "expected"),
    [
        (3, 0, X[:, :3]),
        (3, 2, X[:, 6:]),
        ([1, 4, 2], 1, X[:, 1:5]),
        ([1, 4, 2], -1, X[:, 5:]),
        (None, 5, X[:, 5:6]),
    ],
)
def test_a_part_of_an_array(split, place, expected):
    cut = node("SplitToSequence", "x" if split is None else "x split", "s", axis=1)
    found = given(cut, node("SequenceAt", "s place", "y"), place=place, **({} if split is None else {"split": split}))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("place", [2, -2])
def test_a_part_without_its_axis(place):
    constant = node("Constant", "", "place", value=np.array(place))
    cut = node("SplitToSequence", "x", "s", axis=-2, keepdims=0)
    np.testing.assert_array_equal(given(constant, cut, node("SequenceAt", "s place", "y")), X[:, place])


@pytest.mark.parametrize("version", [11, 17])
def test_sequences_that_grow_and_are_joined(version):
    grown = [
        node("Neg", "x", "n"),
        node("SequenceEmpty", "", "none"),
        node("SequenceInsert", "none x", "one"),
        node("SequenceInsert", "one n", "two"),
    ]
    stacked = given(*grown, node("ConcatFromSequence", "two", "y", axis=-1, new_axis=1), version=version)
    np.testing.assert_array_equal(stacked, np.stack([X, -X], -1))
    joined = given(*grown, node("ConcatFromSequence", "two", "y", axis=1), version=version)
    np.testing.assert_array_equal(joined, np.concatenate([X, -X], 1))
    np.testing.assert_array_equal(given(*grown, node("SequenceAt", "two place", "y"), place=1, version=version), -X)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("SplitToSequence", "x split", "s", axis=1), node("SequenceAt", "s last", "y")],
        [node("SequenceConstruct", "x x", "s"), node("SequenceAt", "s split", "y")],
        [node("SequenceConstruct", "x x", "s"), node("SequenceLength", "s", "y")],
    ],
    ids=["how many parts", "no such item", "length"],
)
def test_what_stays_a_sequence_is_refused(nodes):
    with pytest.raises(FormatError, match="gives sequences") as caught:
        given(*nodes, split=3, last=-1)
    assert "formats.onnx.backend" in str(caught.value)
