"""Branches of trained networks side by side: outputs by hand, what is kept, and a gate that learns to choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from tests.support.networks import random_network, train_state
from tests.support.training import assert_same_bits
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.data.digits import load_digits
from zerfoo_jax.graph import model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import Network, graft
from zerfoo_jax.layers import Activation, Dense, Flatten, Frozen, Parallel, Sequential
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.optim import adam
from zerfoo_jax.training import make_train_step

VECTORS = Spec((3, 4), jnp.float32)
HIVE = Sequential((Dense(5), Parallel((Dense(2), Dense(2))), Dense(3, kernel_init="ones")))
PLAIN = Sequential((Dense(5), Dense(4), Dense(3)))


def affine(params, x):
    return x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


@pytest.fixture(scope="module")
def hives():
    return [random_network(model, VECTORS, seed=seed) for seed, model in enumerate((HIVE, HIVE, PLAIN))]


@pytest.mark.parametrize(
    "combine",
    [
        "add",
        "average",
        "concat",
        {"name": "add", "pad": True},
        {"name": "grid_scatter", "rows": 2, "columns": 2, "positions": ((1, 0, 0), (0, 1, 0), (0, 0, 0), (1, 1, 0))},
    ],
)
def test_branches_of_several_networks_in_every_combination(hives, combine, key):
    first, second, _ = hives
    new = graft([first, second], at="parallel_0", combine=combine, anew=["dense_1"], key=key)
    kept = [network.params["parallel_0"][f"branch_{i}"] for network in (first, second) for i in (0, 1)]
    assert [new.params["parallel_0"][f"branch_{i}"] for i in range(4)] == kept
    assert new.params["dense_0"]["kernel"] is first.params["dense_0"]["kernel"]
    x = normal(0, 3, 4)
    parts = [affine(branch, affine(first.params["dense_0"], x)) for branch in kept]
    joined = {
        "add": sum(parts),
        "average": sum(parts) / 4,
        "concat": np.concatenate(parts, -1),
        "grid_scatter": np.concatenate([parts[i] for i in (2, 1, 0, 3)], -1),
    }[combine if isinstance(combine, str) else combine["name"]]
    assert_close(new(x), affine(new.params["dense_1"], joined), 1e-5)
    assert model_from_spec(model_to_spec(new.model))[0] == new.model


def test_under_a_gate_that_alone_learns_equal_branches_are_one(hives, key):
    *_, plain = hives
    wide = graft([plain, plain], at="dense_1", gate=Dense(2, kernel_init="ones"), train_only_gate=True, key=key)
    assert list(wide.model.children()) == ["frozen_0", "mixture_of_experts_0", "frozen_1"]
    assert list(wide.params) == ["mixture_of_experts_0"] and list(wide.params["mixture_of_experts_0"]) == ["gate"]
    x = normal(0, 3, 4)
    hidden = affine(plain.params["dense_0"], x)
    assert_close(wide(x), affine(plain.params["dense_2"], affine(plain.params["dense_1"], hidden)), 1e-5)


def test_what_does_not_fit_says_why(hives, key):
    first, second, plain = hives
    with pytest.raises(GraphError, match=r"kernel is \(4, 3\), and the edited model needs \(8, 3\)\n  at dense_1\n  fix"):
        graft([first, second], at="parallel_0", combine="concat")
    with pytest.raises(GraphError, match=r"equal shapes to be combined, got \(3, 2\), \(3, 2\), \(3, 4\)\n  at parallel_0"):
        graft([first, plain], at=["parallel_0", "dense_1"], combine="add")
    with pytest.raises(GraphError, match="give one of the two"):
        graft([first, second], at="parallel_0")
    with pytest.raises(GraphError, match="2 networks and 1 paths"):
        graft([first, second], at=["parallel_0"], combine="add")
    with pytest.raises(GraphError, match="has no part 'parallel_9'"):
        graft([first, second], at="parallel_9", combine="add")


def training(model, rate, steps):
    """A function from a network and its batch to the network after so many steps of Adam over all of it."""
    optimizer = adam(rate)
    step = make_train_step(model, cross_entropy, optimizer)

    def train(network, batch):
        state = train_state(network, optimizer)
        for _ in range(steps):
            state, _ = step(state, batch)
        return Network(model, state.params, state.state, network.specs)

    return train


def digits_by_a_gate(seed):
    """Held-out accuracies of two networks, each trained on some of the digits, and of both under a gate trained on all."""
    pictures, classes = load_digits()
    held = np.arange(len(classes)) % 5 == 0
    x, y = pictures[~held], classes[~held]
    model = Sequential((Flatten(), Dense(24), Activation("relu"), Dense(10)))
    train = training(model, 0.02, 60)
    keys = jax.random.split(jax.random.key(seed), 3)
    networks = []
    for some, key in zip((np.flatnonzero(y < 6)[:800], np.flatnonzero(y > 3)[:800]), keys[:2], strict=True):
        network = Network.new(model, key, Spec((1, 8, 8, 1), jnp.float32))
        networks.append(train(network, {"inputs": x[some], "targets": y[some]}))
    start = graft(networks, gate=Sequential((Flatten(), Dense(2))), train_only_gate=True, key=keys[2])
    mixed = training(start.model, 0.05, 100)(start, {"inputs": x, "targets": y})
    accuracies = [float(np.mean(np.argmax(n(pictures[held]), -1) == classes[held])) for n in (*networks, mixed)]
    return networks, start, mixed, accuracies


def test_a_gate_over_two_trained_networks_is_better_than_either():
    networks, start, mixed, (one, other, both) = digits_by_a_gate(0)
    assert mixed.model.experts == tuple(Frozen(network.model) for network in networks)
    assert start.state["expert_1"]["params"]["dense_0"]["kernel"] is networks[1].params["dense_0"]["kernel"]
    assert list(mixed.params) == ["gate"]
    assert_same_bits(mixed.state, start.state)
    assert both > max(one, other) + 0.1
