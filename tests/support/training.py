"""Small models, batches and states for tests of the training step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from tests.support.layers import normal
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Batch, Spec, Tree
from zerfoo_jax.models import mlp
from zerfoo_jax.training import TrainState

MLP = mlp(features=3, hidden=(7, 5), activation="tanh")


def classes_batch(size: int, seed: int = 0, *, features: int = 4, classes: int = 3) -> Batch:
    """Vectors and the class each is nearest to the axis of, so that there is something to learn."""
    inputs = normal(seed, size, features)
    return {"inputs": jnp.asarray(inputs), "targets": jnp.asarray(inputs[:, :classes].argmax(-1), jnp.int32)}


def numbers_batch(size: int, seed: int = 0, *, features: int = 4, outputs: int = 3) -> Batch:
    """Vectors and smooth functions of them."""
    inputs = normal(seed, size, features)
    targets = np.sin(inputs @ normal(99, features, outputs))
    return {"inputs": jnp.asarray(inputs), "targets": jnp.asarray(targets)}


def new_state(model: Layer, optimizer: optax.GradientTransformation, batch: Batch, **options: Any) -> TrainState:
    """The state before the first step on such batches, always from the same seed."""
    spec = Spec(batch["inputs"].shape, batch["inputs"].dtype)
    return TrainState.create(model, optimizer, jax.random.key(0), spec, **options)


def as_numpy(tree: Tree) -> Tree:
    """A copy on the host, keys as their data: a donated state can be looked at later."""

    def copy(x: Any) -> np.ndarray:
        return np.array(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)

    return jax.tree.map(copy, tree)


def assert_same_bits(actual: Tree, expected: Tree) -> None:
    """Equal trees, bit by bit."""
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(as_numpy(actual)), jax.tree.leaves(as_numpy(expected)), strict=True
    ):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes(), jax.tree_util.keystr(path)
