"""Networks with parameters made up by NumPy, which takes no compiler."""

from typing import Any

import jax
import numpy as np

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.graph.editing import Network


def network_of(layer: Layer, *inputs: Any, seed: int = 0) -> Network:
    """The layer with random parameters and state of the shapes that it takes for these inputs."""
    specs = tuple(map(spec_of, inputs))
    shapes = jax.eval_shape(layer.init, jax.random.key(0), *specs)
    chance = np.random.default_rng(seed)
    params, state = jax.tree.map(lambda spec: np.asarray(chance.normal(size=spec.shape)).astype(spec.dtype), shapes)
    return Network(layer, params, state, specs)


def expect_equal(found: Network, wanted: Network) -> None:
    """The networks are the same to the bit."""
    assert found.model == wanted.model and found.specs == wanted.specs
    ours, theirs = ({"params": one.params, "state": one.state} for one in (found, wanted))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(), jax.tree_util.keystr(path)
