"""Models that torch.onnx has exported: the same outputs as in torch, at any size that is free, and they train."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.layer import walk
from zerfoo_jax.formats.onnx import read, read_graph
from zerfoo_jax.formats.operators.from_network import to_operator_graph
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.optim import adamw
from zerfoo_jax.training import TrainState, make_train_step

pytest.importorskip("onnx", reason="the onnx extra is not installed")

DATA = Path(__file__).parents[2] / "data" / "onnx"
NAMES = ("gpt2", "resnet18")


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name) -> Network:
    return read(DATA / f"{name}.onnx")


@pytest.fixture(scope="module")
def recorded(name) -> dict[str, np.ndarray]:
    return dict(np.load(DATA / f"{name}.npz"))


def outputs(network: Network, x: np.ndarray) -> np.ndarray:
    run = jax.jit(lambda params, state, x: network.model.apply(params, state, x)[0])
    return np.asarray(run(network.params, network.state, jnp.asarray(x)))


@pytest.mark.slow
@pytest.mark.parametrize("i", [0, 1, 2])
def test_outputs_are_those_of_torch_at_any_size(network, recorded, i):
    expected = recorded[f"output_{i}"]
    np.testing.assert_allclose(outputs(network, recorded[f"input_{i}"]), expected, rtol=1e-5, atol=1e-5 * abs(expected).max())


def test_they_check_and_begin_anew(network):
    found = walk(network.model, *network.specs)
    assert not found.problems
    params, state = jax.eval_shape(lambda key: network.model.init(key, *network.specs), jax.random.key(0))
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, dict(network.params))
    assert jax.tree.map(np.shape, state) == jax.tree.map(np.shape, dict(network.state))


def test_all_weights_train_from_the_loss_that_torch_gives(name, network, recorded):
    x = jnp.asarray(recorded["input_0"])
    targets = jnp.asarray(np.roll(recorded["input_0"], -1, 1) if name == "gpt2" else [3])
    before = jax.tree.map(np.array, network.params)
    optimizer = adamw(1e-2)
    state = TrainState.of(network.params, network.state, optimizer, jax.random.key(0))
    step = make_train_step(network.model, cross_entropy, optimizer)
    losses = []
    for _ in range(6):
        state, values = step(state, {"inputs": x, "targets": targets})
        losses.append(float(values["loss"]))
    expected = jnp.mean(cross_entropy(jnp.asarray(recorded["output_0"]), targets))
    np.testing.assert_allclose(losses[0], expected, rtol=1e-5)
    assert losses[-1] < 0.97 * losses[0]
    changed = jax.tree.map(lambda old, new: bool((old != np.asarray(new)).any()), before, state.params)
    assert all(jax.tree.leaves(changed))
    jax.tree.map(np.testing.assert_array_equal, before, network.params)


def test_their_operators_come_back(name, network):
    given, back = read_graph(DATA / f"{name}.onnx"), to_operator_graph(network)
    for one, other in zip(given.nodes, back.nodes, strict=True):
        assert (one.op_type, one.inputs, one.outputs, one.name) == (other.op_type, other.inputs, other.outputs, other.name)
        assert one.attributes.keys() == other.attributes.keys()
    assert given.parameters.keys() == back.parameters.keys()
    for key, array in given.parameters.items():
        np.testing.assert_array_equal(array, back.parameters[key])
    assert [value.name for value in given.inputs + given.outputs] == [value.name for value in back.inputs + back.outputs]
    assert back.opsets[""] == given.opsets[""]


@pytest.mark.oracle
@pytest.mark.slow
def test_what_torch_exports_now_gives_the_same(name, torch, tmp_path):
    pytest.importorskip("onnxscript", reason="the oracle extra is not installed")
    exports = pytest.importorskip("tests.support.onnx_exports")
    exported = exports.MODELS[name]()
    exported.write(tmp_path / "model.onnx")
    network = read(tmp_path / "model.onnx")
    for batch in (1, 3):
        x = exported.sample(batch)
        expected = exported.outputs(x)
        np.testing.assert_allclose(outputs(network, x.numpy()), expected, rtol=1e-5, atol=1e-5 * abs(expected).max())
