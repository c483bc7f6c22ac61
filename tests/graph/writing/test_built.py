"""The forward and backward pass as plain functions, against gradients worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.graph import GraphBuilder
from zerfoo_jax.layers import Activation, Dense, Embedding, Flatten, PaddingMask


def two_branches():
    """tanh(x W + b) and embedded tokens times another kernel."""
    builder = GraphBuilder()
    x, ids = builder.input("x", (None, 4)), builder.input("ids", (None, 1), "int32")
    left = builder.add(Activation("tanh"), builder.add(Dense(3), x, name="left"))
    right = builder.add(Dense(2, use_bias=False), builder.add(Flatten(), builder.add(Embedding(5, 2), ids, name="table")))
    return builder.build((left, right, builder.add(PaddingMask(), ids)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradients_are_those_by_hand(seed):
    built = two_branches()
    x, ids = normal(seed, 3, 4), np.array([[1], [4], [1]], np.int32)
    params, state = random_variables(built.graph, x, ids, seed=seed)
    bound = built.bind(params, state)
    left, right, mask = bound.forward(x, ids)
    assert mask.dtype == bool
    dl, dr = normal(seed + 1, 3, 3), normal(seed + 2, 3, 2)
    (dx, no_gradient), gradients = bound.backward((jnp.asarray(dl), jnp.asarray(dr), None), (jnp.asarray(x), jnp.asarray(ids)))
    before = dl * (1 - np.asarray(left) ** 2)
    rows = dr @ np.asarray(params["dense_0"]["kernel"]).T
    table = np.zeros((5, 2), np.float32)
    np.add.at(table, ids[:, 0], rows)
    np.testing.assert_allclose(dx, before @ np.asarray(params["left"]["kernel"]).T, rtol=1e-4, atol=1e-5)
    assert no_gradient is None
    np.testing.assert_allclose(gradients["left"]["kernel"], x.T @ before, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients["left"]["bias"], before.sum(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients["table"]["embedding"], table, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        right, np.asarray(params["table"]["embedding"])[ids[:, 0]] @ params["dense_0"]["kernel"], rtol=1e-4
    )


def test_none_stands_for_zeros():
    built = two_branches()
    x, ids = jnp.ones((1, 4)), jnp.ones((1, 1), "int32")
    params, state = random_variables(built.graph, x, ids)
    (dx, _), gradients = built.backward(params, state, (None, jnp.ones((1, 2)), None), (x, ids))
    assert not np.any(dx) and not np.any(gradients["left"]["kernel"]) and np.any(gradients["dense_0"]["kernel"])


@pytest.mark.parametrize(
    ("gradients", "words"),
    [
        (jnp.ones((1, 3)), "has 3 outputs"),
        ((jnp.ones((1, 3)),), "has 3 outputs"),
        ((jnp.ones((1, 4)), None, None), r"(?s)shape \(1, 4\) is for an output of shape \(1, 3\).*at activation_0"),
    ],
)
def test_gradients_that_do_not_fit_are_refused(gradients, words):
    built = two_branches()
    x, ids = jnp.ones((1, 4)), jnp.ones((1, 1), "int32")
    params, state = random_variables(built.graph, x, ids)
    with pytest.raises(ShapeError, match=words):
        built.backward(params, state, gradients, (x, ids))
