"""Networks to edit, with random parameters: a graph of graphs, a `Sequential`, one with a `Stack` and a graph with one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.networks import random_network
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.models import gpt, mlp, resnet18, vit

IMAGES = Spec((2, 8, 8, 1), jnp.float32)


@pytest.fixture(scope="session")
def resnet() -> Network:
    return random_network(resnet18(num_classes=3, widths=(2, 3, 4, 5), small_images=True), IMAGES)


@pytest.fixture(scope="session")
def resnet_output(resnet: Network) -> tuple[np.ndarray, np.ndarray]:
    """Images and what the unedited network makes of them."""
    x = normal(0, 2, 8, 8, 1)
    return x, np.asarray(jax.jit(resnet.__call__)(x))


@pytest.fixture(scope="session")
def perceptron() -> Network:
    return random_network(mlp(features=3, hidden=(6, 5), activation="tanh"), IMAGES)


@pytest.fixture(scope="session")
def language_model() -> Network:
    return random_network(gpt(vocab_size=7, num_layers=2, features=4, num_heads=2), Spec((2, 5), jnp.int32))


@pytest.fixture(scope="session")
def language_output(language_model: Network) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and what the unedited network makes of them."""
    ids = np.array([[1, 0, 6, 3, 2], [2, 2, 5, 0, 1]])
    return ids, np.asarray(jax.jit(language_model.__call__)(ids))


@pytest.fixture(scope="session")
def transformer() -> Network:
    model = vit(num_classes=3, image_size=8, patch_size=4, num_layers=2, features=4, num_heads=2, hidden=6)
    return random_network(model, IMAGES)
