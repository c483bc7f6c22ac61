from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import mlp


def shapes(model, *shape):
    return jax.eval_shape(lambda key: model.init(key, Spec(shape, jnp.float32)), jax.random.key(0))[0]


def count(params):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(("shape", "hidden"), [((1, 784), (512, 512)), ((3, 8, 8, 1), (32,)), ((2, 5), ())])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_mlp_parameter_count_follows_the_closed_form(shape, hidden, dropout):
    widths = (int(np.prod(shape[1:])), *hidden, 10)
    params = shapes(mlp(features=10, hidden=hidden, dropout=dropout), *shape)
    assert count(params) == sum((a + 1) * b for a, b in pairwise(widths))
    assert sorted(params) == [f"dense_{i}" for i in range(len(hidden) + 1)]


@pytest.mark.oracle
def test_mlp_agrees_with_torch(torch):
    model, x = mlp(features=3, hidden=(5, 4), activation="relu"), normal(0, 6, 2, 2)
    params, state = random_variables(model, x)
    y = torch.tensor(x.reshape(6, 4))
    for i in range(3):
        kernel, bias = (torch.tensor(np.asarray(params[f"dense_{i}"][name])) for name in ("kernel", "bias"))
        y = y @ kernel + bias if i == 2 else torch.relu(y @ kernel + bias)
    assert_close(model.apply(params, state, x)[0], y.numpy(), 1e-5)
