"""A step whose numbers are not finite changes nothing but the step count, wherever the bad number comes from."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.training import as_numpy, assert_same_bits, new_state, numbers_batch
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import BatchNorm, Dense, Sequential
from zerfoo_jax.losses import mse
from zerfoo_jax.optim import adam, sgd
from zerfoo_jax.training import make_train_step


@dataclass(frozen=True)
class Root(Layer):
    """√|x|: finite at 0, its gradient is not."""

    def forward(self, params, x):
        return jnp.sqrt(jnp.abs(x))


MODEL = Sequential((Dense(5), BatchNorm(), Root(), Dense(3)))
OPTIMIZER = adam(0.01)
STEPS = {n: make_train_step(MODEL, mse, OPTIMIZER, ema_decay=0.9, skip_nonfinite=True, accumulate=n) for n in (1, 3)}


def good_batch(seed=0):
    return {**numbers_batch(6, seed), "weights": jnp.ones(6)}


def trained():
    """A state in which no average equals its parameters any more."""
    state = new_state(MODEL, OPTIMIZER, good_batch(), ema=True)
    for seed in range(3):
        state, _ = STEPS[1](state, good_batch(seed))
    return state


def expect_skipped(step, state, batch, next_batch):
    """One bad step that changes nothing but the count, then a good one that does."""
    before = as_numpy((state.params, state.state, state.opt_state, state.ema, state.key))
    number = int(state.step)
    state, values = step(state, batch)
    assert values["skipped"] == 1 and int(state.step) == number + 1
    assert_same_bits((state.params, state.state, state.opt_state, state.ema, state.key), before)
    state, values = step(state, next_batch)
    assert values["skipped"] == 0 and jnp.isfinite(values["loss"])
    for new, old in zip(jax.tree.leaves((state.params, state.ema)), jax.tree.leaves((before[0], before[3])), strict=True):
        assert np.isfinite(new).all() and not np.array_equal(new, old)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("name", "place"), [("inputs", (0, 0)), ("inputs", (5, 3)), ("targets", (2, 1)), ("weights", (0,)), ("weights", (5,))]
)
def test_a_bad_number_in_the_batch(name, place, bad, accumulate):
    batch = good_batch()
    batch[name] = batch[name].at[place].set(bad)
    expect_skipped(STEPS[accumulate], trained(), batch, good_batch(7))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("size", [1e20, 3e38])
def test_numbers_that_overflow_on_the_way(size, accumulate):
    batch = good_batch()
    batch["targets"] = batch["targets"].at[1, 2].set(size)
    expect_skipped(STEPS[accumulate], trained(), batch, good_batch(7))


@pytest.mark.parametrize("name", ["dense_0", "dense_1"])
def test_a_parameter_that_overflows_is_skipped_for_as_long_as_it_does(name):
    state = trained()
    huge = state.params[name]["kernel"].at[0, 0].set(1e37)
    state = state.replace(params={**state.params, name: {**state.params[name], "kernel": huge}})
    before = as_numpy((state.params, state.state, state.opt_state, state.ema))
    batch = good_batch()
    batch["inputs"] = batch["inputs"].at[:].multiply(100.0)
    for _ in range(3):
        state, values = STEPS[1](state, batch)
        assert values["skipped"] == 1
    assert_same_bits((state.params, state.state, state.opt_state, state.ema), before)


def test_a_gradient_that_is_nan_under_a_finite_loss():
    model = Sequential((Dense(2, use_bias=False), Root()))
    step = make_train_step(model, mse, sgd(0.1), skip_nonfinite=True, ema_decay=0.5)
    batch = numbers_batch(3, outputs=2)
    bad = {**batch, "inputs": batch["inputs"].at[1].set(0.0)}
    state = new_state(model, sgd(0.1), batch, ema=True)
    state, _ = step(state, batch)
    before = as_numpy(state.params)
    state, values = step(state, bad)
    assert jnp.isfinite(values["loss"]) and values["skipped"] == 1
    assert_same_bits(state.params, before)
    expect_skipped(step, state, bad, batch)


def test_finite_gradients_whose_squares_overflow_in_the_optimizer():
    model = Dense(1, use_bias=False)
    step = make_train_step(model, lambda y, t: jnp.sum(y * t, -1), OPTIMIZER, skip_nonfinite=True, ema_decay=0.9)
    batch = {"inputs": jnp.ones((2, 3)), "targets": jnp.ones((2, 1))}
    state = new_state(model, OPTIMIZER, batch, ema=True)
    state, _ = step(state, batch)
    expect_skipped(step, state, {**batch, "inputs": jnp.full((2, 3), 1e25)}, batch)


def test_statistics_that_overflow_under_a_finite_loss():
    model = Sequential((BatchNorm(use_scale=False, use_bias=False), Dense(1)))
    step = make_train_step(model, mse, sgd(0.1), skip_nonfinite=True)
    batch = numbers_batch(6, outputs=1)
    state = new_state(model, sgd(0.1), batch)
    running = as_numpy(state.state)
    state, values = step(state, {**batch, "inputs": batch["inputs"].at[:, 0].multiply(1e25)})
    assert values["skipped"] == 1
    assert_same_bits(state.state, running)


def test_without_it_the_damage_is_done():
    step = make_train_step(MODEL, mse, OPTIMIZER, ema_decay=0.9)
    batch = good_batch()
    state, values = step(trained(), {**batch, "inputs": batch["inputs"].at[0, 0].set(jnp.nan)})
    assert "skipped" not in values and not jnp.isfinite(state.params["dense_1"]["kernel"]).all()
