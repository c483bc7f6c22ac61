import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal, random_variables
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.engines import ENGINES, Debug, engine_of
from zerfoo_jax.engines.value import Value, summarize
from zerfoo_jax.layers import Activation, Dense, Sequential, Stack
from zerfoo_jax.optim import sgd

MODEL = Sequential((Dense(4), Stack(Sequential((Dense(4), Activation("tanh"))), 2), Dense(4)))
X = normal(3, 4, 4)
PARAMS, STATE = random_variables(MODEL, X)


def loss(params, x):
    return (MODEL.apply(params, STATE, x)[0] ** 2).sum()


def update(params, x):
    value, grads = jax.value_and_grad(loss)(params, x)
    optimizer = sgd(0.1)
    with jax.named_scope("optimizer"):
        updates, _ = optimizer.update(grads, optimizer.init(params), params)
    return jax.tree.map(jnp.add, params, updates), value


@pytest.fixture(scope="module")
def traced():
    return Debug().trace(update, PARAMS, X)


def test_every_operation_has_its_node_pass_and_line(traced):
    dots = [(o.node, o.phase) for o in traced.operations if o.primitive == "dot_general"]
    nodes = ["dense_0", "stack_0/block[0]/dense_0", "stack_0/block[1]/dense_0", "dense_1"]
    assert [node for node, phase in dots if phase == "forward"] == nodes
    assert [node for node, phase in dots if phase == "backward"] == [
        "dense_1", "dense_1", *[nodes[2]] * 2, *[nodes[1]] * 2, "dense_0",
    ]  # fmt: skip
    assert {Path(o.source.rpartition(":")[0]).name for o in traced.operations if o.primitive == "dot_general"} == {"dense.py"}
    assert {o.phase for o in traced.operations if o.node == "optimizer"} == {"update"}
    assert traced.operations[-1].phase == "update" and traced.origin is None
    assert {o.layer for o in traced.operations} >= {"stack_0/block/dense_0", "dense_0", ""}


def test_the_derivative_of_tanh_belongs_to_the_backward_pass(traced):
    phases = [o.phase for o in traced.operations if o.node == "stack_0/block[0]/activation_0"]
    assert phases[0] == "forward" and set(phases[1:]) == {"backward"}


def test_the_numbers_are_those_of_the_array(traced):
    first = traced.operations[0]
    y = np.asarray(X, np.float64) @ np.asarray(PARAMS["dense_0"]["kernel"], np.float64)
    assert [x.spec for x in (*first.inputs, *first.outputs)] == ["float32[4,4]"] * 3 and first.seconds > 0
    of = first.outputs[0]
    np.testing.assert_allclose([of.mean, of.std, of.min, of.max], [y.mean(), y.std(), y.min(), y.max()], rtol=1e-5)


@pytest.mark.parametrize(
    ("x", "numbers"),
    [
        (np.float32([1, np.nan, np.inf, 3]), (2.0, 1.0, 1.0, 3.0, 1, 1)),
        (np.float32([np.nan, -np.inf]), (None, None, None, None, 1, 1)),
        (np.zeros((0, 3), np.float32), (None, None, None, None, 0, 0)),
        (np.array([True, False]), (0.5, 0.5, 0.0, 1.0, 0, 0)),
        (np.int32([1, 3]), (2.0, 1.0, 1.0, 3.0, 0, 0)),
        (np.complex64([3 + 4j]), (5.0, 0.0, 5.0, 5.0, 0, 0)),
        (jnp.bfloat16([1, np.nan]), (1.0, 0.0, 1.0, 1.0, 1, 0)),
        (np.float32([3e38, -3e38]), (0.0, float(np.float32(3e38)), -float(np.float32(3e38)), float(np.float32(3e38)), 0, 0)),
        (np.complex64([3e38 + 3e38j]), (3e38 * 2**0.5, 0.0, 3e38 * 2**0.5, 3e38 * 2**0.5, 0, 0)),
        (jax.random.key(0), (None, None, None, None, 0, 0)),
        (2.5, (2.5, 0.0, 2.5, 2.5, 0, 0)),
    ],
)
def test_summaries(x, numbers):
    s = summarize(x)
    assert (s.mean, s.std, s.min, s.max, s.nans, s.infs) == pytest.approx(numbers)
    assert s.finite == (not any(numbers[4:]))
    without = summarize(x, statistics=False)
    assert (without.spec, without.nans, without.infs, without.mean) == (s.spec, s.nans, s.infs, None)


def test_all_summaries_of_a_value_are_known_as_its_own():
    value = Value(jnp.float32([1, 3]))
    first, full = value.summary(statistics=False), value.summary()
    assert (first.mean, full.mean) == (None, 2) and first.mark is full.mark and value.summary(statistics=False) is full
    assert Value(value.array).summary().mark is not full.mark


def test_the_table_has_a_line_for_each_result(traced):
    lines = str(traced).splitlines()
    assert lines[0].split() == ["node", "phase", "operation", "result", "mean", "std", "min", "max", "nan", "inf", "ms"]
    assert len(lines) == 1 + sum(len(o.outputs) for o in traced.operations)
    assert lines[1].split()[:4] == ["dense_0", "forward", "dot_general", "float32[4,4]"]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("dense_*", {"dense_0", "dense_1"}),
        ("stack_0/block[1]/*", {"stack_0/block[1]/dense_0", "stack_0/block[1]/activation_0"}),
        ("*/dense_?", {"stack_0/block[0]/dense_0", "stack_0/block[1]/dense_0"}),
        ("stack_0/block/dense_0", {"stack_0/block[0]/dense_0", "stack_0/block[1]/dense_0"}),
        ("nowhere", set()),
    ],
)
@pytest.mark.parametrize("stops", [True, False])
def test_a_callback_gets_the_nodes_that_the_pattern_names(nodes, expected, stops):
    seen = []
    Debug(nodes, stops, log=seen.append).compile(loss)(PARAMS, X)
    assert {o.node for o in seen} == expected


def test_a_file_gets_a_line_for_each_operation(tmp_path):
    run = engine_of({"name": "debug", "log": str(tmp_path / "log.jsonl")}).compile(loss)
    for _ in range(2):
        run(PARAMS, X)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert records[0]["function"] == "loss" and [r["call"] for r in records] == sorted(r["call"] for r in records)
    assert {r["call"] for r in records} == {0, 1} and records[0]["operation"] == "dot_general"
    assert records[0]["inputs"] == ["float32[4,4]"] * 2 and records[0]["outputs"][0]["nans"] == 0


def test_a_file_is_bounded_and_keeps_the_latest(tmp_path):
    run = Debug(log=str(tmp_path / "log"), log_bytes=6000).compile(loss)
    for _ in range(5):
        run(PARAMS, X)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"log", "log.1"} and sum(sizes.values()) < 6000 + 2 * 500
    lines = [*(tmp_path / "log.1").read_text().splitlines(), *(tmp_path / "log").read_text().splitlines()]
    assert json.loads(lines[-1])["call"] == 4


def test_a_file_that_cannot_be_written_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot write"):
        Debug(log=str(tmp_path / "no" / "log")).compile(loss)(PARAMS, X)


def test_a_run_folder_is_the_default_place(tmp_path):
    assert Debug().writing_to(tmp_path).log == str(tmp_path / "debug.jsonl")
    assert Debug(log="mine").writing_to(tmp_path).log == "mine"
    assert ENGINES["xla"].writing_to(tmp_path) == ENGINES["xla"]
