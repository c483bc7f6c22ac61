"""A network with its parameters, and edited ones in checkpoints."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.support.layers import normal
from tests.support.networks import random_network, train_state
from zerfoo_jax.checkpoint import Checkpoints, digest
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing import Network, add_lora, freeze
from zerfoo_jax.layers import Dense, Sequential
from zerfoo_jax.optim import adam


def test_is_the_model_with_its_initial_parameters(key):
    network, x = Network.new(Dense(3), key, jnp.zeros((1, 4))), normal(0, 2, 4)
    params, _ = Dense(3).init(key, x)
    np.testing.assert_array_equal(network(x), Dense(3).forward(params, jnp.asarray(x)))
    assert network.specs == (Spec((1, 4), jnp.float32),) and network != Network.new(Dense(3), key, jnp.zeros((1, 4)))


def test_edited_networks_come_back_from_checkpoints(key, tmp_path):
    network = random_network(Sequential((Dense(4), Dense(4), Dense(3))), Spec((1, 4), jnp.float32))
    edited = add_lora(freeze(network, "dense_0"), rank=1, alpha=1.0, at="dense_0", key=key)
    assert sorted(edited.params) == ["dense_0", "lo_ra_0"] and sorted(edited.state) == ["frozen_0", "lo_ra_0"]
    state = train_state(edited, adam(0.1))
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    checkpoints.save(1, state)
    checkpoints.wait()
    assert digest(checkpoints.restore(jax.tree.map(jnp.zeros_like, state)).tree) == digest(state)
