"""Branches and loops: on known values at once, on traced ones as `lax.cond`, `lax.scan` and `lax.while_loop`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import FormatError, ShapeError
from zerfoo_jax.formats.operators import OperatorGraph, OperatorNode, Value
from zerfoo_jax.formats.operators.evaluate import evaluate
from zerfoo_jax.formats.operators.families import control, sequences

TRUE = np.array(True)


def graph(nodes, inputs, outputs, **parameters):
    """Nodes written `op_type inputs -> outputs`."""
    made = []
    for text, attributes in nodes:
        before, after = text.split(" -> ")
        op_type, *taken = before.split(" ")
        made.append(OperatorNode(op_type, tuple(name.strip("_") for name in taken), tuple(after.split(" ")), attributes))
    return OperatorGraph(tuple(made), tuple(map(Value, inputs)), tuple(map(Value, outputs)), parameters, {"": 17})


def scaled(limit=None):
    """A loop's body: v ← v · w, which it also scans; it goes on while the sum is below the limit."""
    nodes = [("Mul v w -> next", {}), ("Identity next -> out", {})]
    parameters = {}
    if limit is None:
        nodes.append(("Identity go -> on", {}))
    else:
        nodes += [("ReduceSum next -> sum", {"keepdims": 0}), ("Less sum limit -> on", {})]
        parameters["limit"] = np.array(limit, np.float32)
    return graph(nodes, ["i", "go", "v"], ["on", "next", "out"] if limit is None else ["on", "next"], **parameters)


def loop(rounds, limit=None):
    outputs = ["last", "all"] if limit is None else ["last"]
    given = {} if rounds is None else {"M": np.array(rounds)}
    start = "M" if rounds is not None else "__"
    return graph([(f"Loop {start} __ x -> {' '.join(outputs)}", {"body": scaled(limit)})], ["x", "w"], outputs, **given)


@pytest.mark.parametrize("rounds", [0, 3, 40])
def test_a_loop_of_known_length_is_differentiable_and_scans(rounds):
    x, w = np.float32([1, 2]), np.float32([1.01, 0.99])

    def run(x, w):
        return evaluate(loop(rounds), {"x": x, "w": w})

    expected = x * w ** np.arange(1, rounds + 1)[:, None]
    for last, everything in (run(x, w), jax.jit(run)(x, w), evaluate(loop(rounds), {"x": x, "w": w}, concrete=True)):
        np.testing.assert_allclose(last, x * w**rounds, rtol=1e-5)
        np.testing.assert_allclose(everything, expected.reshape(rounds, 2), rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda w: run(x, w)[0].sum()))(w)
    np.testing.assert_allclose(gradient, rounds * x * w ** max(rounds - 1, 0), rtol=1e-5)


def test_long_loops_of_traced_values_are_one_scan():
    text = str(jax.make_jaxpr(lambda x, w: evaluate(loop(40), {"x": x, "w": w}))(np.ones(2, "f"), np.ones(2, "f")))
    assert text.count("scan[") == 1 and text.count(" mul ") == 1


@pytest.mark.parametrize("rounds", [None, 4, 100])
def test_a_loop_that_stops_by_what_it_computes(rounds):
    x, w = np.float32([1, 1]), np.float32([2, 3])
    expected = x
    for _ in range(rounds or 1000):
        expected = expected * w
        if expected.sum() >= 250:
            break
    given = loop(rounds, limit=250)
    for run in (evaluate, jax.jit(lambda g, v: evaluate(given, v), static_argnums=0)):
        np.testing.assert_array_equal(run(given, {"x": x, "w": w})[0], expected)


def test_a_condition_that_is_traced_takes_either_branch():
    branches = {
        "then_branch": graph([("Mul x x -> r", {})], [], ["r"]),
        "else_branch": graph([("Neg x -> r", {})], [], ["r"]),
    }
    given = graph([("If c -> y", branches)], ["x", "c"], ["y"])

    def run(x, c):
        return evaluate(given, {"x": x, "c": c})[0].sum()

    x = np.float32([3, 4])
    for c, value, slope in ((True, 25, 2 * x), (False, -7, [-1, -1])):
        found, gradient = jax.jit(jax.value_and_grad(run))(x, c)
        assert found == value and run(x, np.array(c)) == value
        np.testing.assert_array_equal(gradient, slope)


def test_a_branch_that_is_not_taken_may_be_impossible():
    def impossible():
        raise AssertionError

    assert control.If(TRUE, then_branch=lambda: (1,), else_branch=impossible) == (1,)
    assert control.If(np.array([False]), then_branch=impossible, else_branch=lambda: (2,)) == (2,)


def test_scan_along_other_axes_and_backwards():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("f"), np.arange(4, dtype="f").reshape(4, 1)

    def body(total, a, b):
        total = total + a.sum() * b[0]
        return total, total, a

    def run(x, y):
        return control.Scan_9(
            jnp.zeros((), "f"),
            x,
            y,
            body=body,
            num_scan_inputs=2,
            scan_input_axes=(2, 0),
            scan_input_directions=(1, 0),
            scan_output_axes=(0, 1),
            scan_output_directions=(1, 0),
        )

    expected = np.cumsum([x[:, :, 3 - i].sum() * i for i in range(4)])
    for total, totals, slices in (run(x, y), jax.jit(run)(x, y)):
        np.testing.assert_allclose(total, expected[-1], rtol=1e-5)
        np.testing.assert_allclose(totals, expected[::-1], rtol=1e-5)
        np.testing.assert_array_equal(slices, np.moveaxis(x[:, :, ::-1], 2, 1))


def test_scans_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"\[2, 3\] slices"):
        control.Scan_9(np.ones(2), np.ones(3), body=lambda a, b: (a,), num_scan_inputs=2)
    with pytest.raises(FormatError, match="1 inputs, 2 of them"):
        control.Scan_9(np.ones(2), body=lambda a: (a,), num_scan_inputs=2)
    with pytest.raises(ShapeError, match="must know before it runs"):
        jax.jit(lambda m: control.Loop(m, None, body=lambda i, c: (c, i)))(3)


def test_sequences():
    one, two, three = np.ones(1), np.ones(2), np.ones(3)
    items = sequences.SequenceConstruct(one, two)
    longer = sequences.SequenceInsert(items, three, np.array([-1]))
    assert [len(x) for x in longer] == [1, 3, 2] and len(items) == 2
    assert sequences.SequenceInsert(items, three)[2] is sequences.SequenceInsert(items, three, np.array(2))[2] is three
    assert [len(x) for x in sequences.SequenceErase(longer)] == [1, 3]
    assert [len(x) for x in sequences.SequenceErase(longer, np.array(0))] == [3, 2]
    assert sequences.SequenceAt(longer, np.array(-2)) is three
    assert sequences.SequenceLength(sequences.SequenceEmpty()) == 0
    for position in (2, -3):
        with pytest.raises(ShapeError, match=f"position {position} is not in a sequence of 2"):
            sequences.SequenceAt(items, np.array(position))


def test_sequences_are_split_joined_and_mapped():
    x = np.arange(10).reshape(2, 5)
    halves = sequences.SplitToSequence(x, np.array(2), axis=1)
    assert [part.shape for part in halves] == [(2, 2), (2, 2), (2, 1)]
    assert [part.shape for part in sequences.SplitToSequence(x, keepdims=0)] == [(5,), (5,)]
    np.testing.assert_array_equal(sequences.ConcatFromSequence(halves, axis=1), x)
    rows = sequences.SplitToSequence(x, np.array([1, 1]))
    assert sequences.ConcatFromSequence(rows, axis=0, new_axis=1).shape == (2, 1, 5)
    sums, firsts = sequences.SequenceMap(halves, x, body=lambda part, whole: (part.sum(), whole[0]))
    assert sums == [12, 20, 13] and len(firsts) == 3
    with pytest.raises(ShapeError, match="do not make up 5"):
        sequences.SplitToSequence(x, np.array([2, 2]), axis=1)
    with pytest.raises(ShapeError, match=r"\[3, 2\] items"):
        sequences.SequenceMap(halves, rows, body=lambda a, b: (a,))


def test_optional_values():
    assert sequences.Optional() is None and sequences.Optional(TRUE) is TRUE
    assert sequences.OptionalHasElement(TRUE) and not sequences.OptionalHasElement(None)
    assert sequences.OptionalGetElement(TRUE) is TRUE
    with pytest.raises(FormatError, match="empty optional"):
        sequences.OptionalGetElement(None)
