"""Networks to edit, and their training."""

from typing import Any

import jax

from tests.support.layers import random_variables
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.training import TrainState


def random_network(model: Layer, *specs: Spec, seed: int = 0) -> Network:
    """The network with every parameter drawn from a normal distribution: nothing is compiled."""
    return Network(model, *random_variables(model, *specs, seed=seed), specs)


def train_state(network: Network, optimizer: Any, *, ema: bool = False) -> TrainState:
    """The state before the first step from the network's own variables."""
    return TrainState.of(network.params, network.state, optimizer, jax.random.key(0), ema=ema)
