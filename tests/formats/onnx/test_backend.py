"""ONNX's own tests through its Backend interface. Those that do not pass are listed with the reason in skips.txt."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
from onnx import helper  # noqa: E402 - once it is there

from tests.support.onnx_cases import KINDS, cases, is_expanded, run  # noqa: E402
from zerfoo_jax.core.errors import FormatError  # noqa: E402
from zerfoo_jax.formats.onnx import backend  # noqa: E402
from zerfoo_jax.formats.onnx.backend import Backend  # noqa: E402

EVERY = 80


def skips() -> dict[str, str]:
    """Tests that do not pass, and why: lines of `name: reason`."""
    lines = Path(__file__).with_name("skips.txt").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def check(chosen: list) -> None:
    """Fails for tests that should pass and do not, and for those that do and are listed."""
    listed = skips()
    results = {case.name: run(case) for case in chosen}
    failed = {name: why for name, why in results.items() if why and name not in listed}
    assert not failed, "\n".join(f"{name}: {why}" for name, why in failed.items())
    assert not [name for name, why in results.items() if not why and name in listed]


def test_a_sample_of_all_tests_passes():
    check([case for kind in KINDS for case in cases(kind) if not is_expanded(case)][::EVERY])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_tests_pass(kind):
    check([case for case in cases(kind) if not is_expanded(case)])


def test_no_more_is_skipped_than_is_allowed():
    names = {kind: {case.name for case in cases(kind) if not is_expanded(case)} for kind in KINDS}
    listed = skips()
    assert listed.keys() <= set().union(*names.values())
    assert all(len(reason) > 10 for reason in listed.values())
    assert len(listed.keys() & names["node"]) <= 0.08 * len(names["node"])
    assert len(names["node"]) >= 1_404


def model_of(*nodes, inputs="x", outputs="y", opset=17):
    values = [[helper.make_tensor_value_info(name, 1, None) for name in names.split()] for names in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def test_all_that_is_not_supported_is_named_before_anything_runs():
    inner = helper.make_graph([helper.make_node("Gone", [], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, None)])
    model = model_of(
        helper.make_node("Frobnicate", ["x"], ["a"], name="first"),
        helper.make_node("If", ["a"], ["b"], then_branch=inner, else_branch=inner),
        helper.make_node("Relu", ["b"], ["c"], steepness=2.0),
        helper.make_node("Missing", ["c"], ["y"], domain="elsewhere"),
    )
    with pytest.raises(FormatError) as caught:
        Backend.prepare(model)
    for said in ("Frobnicate", "first", "Gone", "'steepness'", "Missing", "'elsewhere'"):
        assert said in str(caught.value)
    assert len(caught.value.problems) == 5


def test_inputs_by_order_and_by_name():
    model = model_of(helper.make_node("Sub", ["a", "b"], ["y"]), inputs="a b")
    rep = backend.prepare(model)
    a, b = np.float32([5]), np.float32([3])
    assert rep.run([a, b])[0] == rep.run({"b": b, "a": a})[0] == backend.run_model(model, [a, b])[0] == 2
    with pytest.raises(FormatError, match="takes 2 inputs"):
        rep.run([a])
    with pytest.raises(FormatError, match="takes the inputs"):
        rep.run({"a": a, "c": b})


def test_one_node():
    node = helper.make_node("Softmax", ["x"], ["y"], axis=0)
    x = np.float64([[1, 2], [3, 4]])
    [y] = backend.run_node(node, [x])
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(0), rtol=1e-15)
    # Before version 13 all axes from the given one on were one.
    [y] = backend.run_node(node, [x], opset_version=11)
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(), rtol=1e-15)


def test_64_bits_and_shapes_that_depend_on_values():
    [large] = backend.run_node(helper.make_node("Add", ["a", "b"], ["y"]), [np.int64([2**40]), np.int64([1])])
    assert large.dtype == np.int64 and large[0] == 2**40 + 1
    [places] = backend.run_node(helper.make_node("NonZero", ["x"], ["y"]), [np.float32([0, 3, 0, 4])])
    assert places.tolist() == [[1, 3]]


def test_devices():
    assert backend.supports_device("CPU") and backend.supports_device("CPU:0")
    assert not backend.supports_device("TOASTER")
