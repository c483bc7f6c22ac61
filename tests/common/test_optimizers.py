"""Every member of OPTIMIZERS: descends, keeps dtypes and shapes, checks its options. One set of bad options each."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.optim import OPTIMIZERS

BAD_OPTIONS = {
    "adam": [{"b1": 1.0}, {"b2": -0.1}, {"eps": 0.0}],
    "adamw": [{"b1": 1.5}, {"weight_decay": -0.1}, {"decayed": 3}, {"eps": "small"}],
    "sgd": [{"momentum": 1.0}, {"momentum": -0.5}, {"nesterov": "yes"}],
}

every_member = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


def test_every_member_has_bad_options():
    assert sorted(BAD_OPTIONS) == sorted(OPTIMIZERS)


@every_member
def test_finds_the_minimum_of_a_bowl_and_keeps_its_state_alike(name):
    optimizer = OPTIMIZERS[name](0.1)
    params, goal = {"dense_0": {"kernel": jnp.asarray(normal(0, 3, 2)), "bias": jnp.zeros(2)}}, 0.5
    start = state = optimizer.init(params)

    @jax.jit
    def one(params, state):
        grads = jax.tree.map(lambda p: 2 * (p - goal), params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(150):
        params, state = one(params, state)
    for leaf in jax.tree.leaves(params):
        assert leaf.dtype == jnp.float32
        np.testing.assert_allclose(leaf, goal, atol=0.02)
    assert jax.eval_shape(lambda: state) == jax.eval_shape(lambda: start)


@every_member
def test_has_a_docstring_that_names_its_source(name):
    assert "(" in OPTIMIZERS[name].__doc__


@every_member
def test_bad_options_are_refused_with_their_name(name):
    for options in BAD_OPTIONS[name]:
        ((option, value),) = options.items()
        with pytest.raises(ConfigError, match=f"{name}.{option} = {value!r}"):
            bind(OPTIMIZERS, {"name": name, **options}, "optimizer")
    with pytest.raises(ConfigError, match=f"{name} has no option 'momentun'"):
        bind(OPTIMIZERS, {"name": name, "momentun": 0.9}, "optimizer")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'adamw'"):
        bind(OPTIMIZERS, "adamw2", "optimizer")
