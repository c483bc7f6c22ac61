"""Every member of OPTIMIZERS: descends, keeps dtypes and shapes, checks its options. One set of bad options each."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.optim import OPTIMIZERS, evaluation_params, linear

BAD_OPTIONS = {
    "adadelta": [{"decay": 1.0}, {"eps": 0.0}],
    "adafactor": [{"clipping": 0.5}, {"eps": 0.0}, {"decay": -1.0}, {"stacked": "stack"}],
    "adagrad": [{"eps": 0}, {"initial_sum": -1.0}, {"rate_decay": -1.0}],
    "adam": [{"b1": 1.0}, {"b2": -0.1}, {"eps": 0.0}],
    "adamw": [{"b1": 1.5}, {"weight_decay": -0.1}, {"decayed": 3}, {"eps": "small"}],
    "amsgrad": [{"b1": 1.0}, {"weight_decay": -1.0}],
    "lamb": [{"b2": 1.0}, {"eps": -1.0}, {"stacked": 1}],
    "lars": [{"trust_coefficient": 0.0}, {"momentum": 1.0}],
    "lbfgs": [{"memory": 0}, {"c1": 0.0}, {"c2": 1.0}, {"max_line_search_steps": 0}],
    "lion": [{"b1": 1.0}, {"b2": "much"}],
    "muon": [{"scaling": "none"}, {"newton_schulz_steps": 0}, {"momentum": 1.0}],
    "nadam": [{"momentum_decay": -1.0}, {"b1": 1.0}],
    "rmsprop": [{"decay": 1.0}, {"centered": 1}],
    "schedule_free": [{"b1": 0.0}, {"base": "lion"}, {"weight_rate_power": -1.0}],
    "sgd": [{"momentum": 1.0}, {"momentum": -0.5}, {"nesterov": "yes"}],
}

# Learning rates that reach the bowl's minimum in 150 steps, where that is not 0.1 for all of them.
RATES = {
    "adadelta": 30.0,
    "adafactor": linear(1.0, 150),
    "lamb": linear(0.2, 150),
    "lars": linear(0.1, 150),
    "lbfgs": 1.0,
    "lion": linear(0.1, 150),
    "muon": linear(0.2, 150),
    "schedule_free": 0.2,
}
OPTIONS = {"lars": {"trust_coefficient": 0.1}}

every_member = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


def test_every_member_has_bad_options():
    assert sorted(BAD_OPTIONS) == sorted(OPTIMIZERS)


@every_member
def test_finds_the_minimum_of_a_bowl_and_keeps_its_state_alike(name):
    optimizer = OPTIMIZERS[name](RATES.get(name, 0.1), **OPTIONS.get(name, {}))
    params, goal = {"dense_0": {"kernel": jnp.asarray(normal(0, 3, 2)), "bias": jnp.zeros(2)}}, 0.5
    start = state = optimizer.init(params)

    def value_fn(params):
        return sum(jnp.sum((p - goal) ** 2) for p in jax.tree.leaves(params))

    @jax.jit
    def one(params, state):
        value, grads = jax.value_and_grad(value_fn)(params)
        updates, state = optimizer.update(grads, state, params, value=value, grad=grads, value_fn=value_fn)
        return optax.apply_updates(params, updates), state

    for _ in range(150):
        params, state = one(params, state)
    for leaf in jax.tree.leaves(params) + jax.tree.leaves(evaluation_params(state, params)):
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
        with pytest.raises(ConfigError, match=f"{name}.{option} = {value!r}"):
            OPTIMIZERS[name](0.1, **options)
    with pytest.raises(ConfigError, match=f"{name}.learning_rate = -0.1"):
        OPTIMIZERS[name](-0.1)
    with pytest.raises(ConfigError, match=f"{name} has no option 'momentun'"):
        bind(OPTIMIZERS, {"name": name, "momentun": 0.9}, "optimizer")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'adamw'"):
        bind(OPTIMIZERS, "adamw2", "optimizer")
