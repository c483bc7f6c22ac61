"""Every optimizer in the training step: donated, compiled once, under float16 with loss scaling, with stacked parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.training import new_state
from zerfoo_jax.layers import Dense, Residual, Sequential, Stack
from zerfoo_jax.losses import mse
from zerfoo_jax.optim import OPTIMIZERS, clipped_adaptively, grouped, lookahead, penalized, reduce_on_plateau, sgd
from zerfoo_jax.training import make_eval_step, make_train_step, stochastic_weight_averaging

MODEL = Sequential((Stack(Residual(Dense(4, kernel_init="zeros")), 2), Dense(1)))
INPUTS = 0.3 * normal(0, 16, 4)  # small enough for the first loss scale
BATCH = {"inputs": jnp.asarray(INPUTS), "targets": jnp.asarray(np.tanh(INPUTS[:, :1]))}
POISONED = {**BATCH, "inputs": BATCH["inputs"].at[3, 1].set(jnp.nan)}
RATES = {"adadelta": 1.0, "lbfgs": 1.0, "lars": 0.1}


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_trains_in_float16_and_skips_what_is_not_finite(name):
    schedule = reduce_on_plateau(RATES.get(name, 0.01), 100, patience=0, every=2)
    optimizer = OPTIMIZERS[name](schedule)
    state = start = new_state(MODEL, optimizer, BATCH, precision="float16")
    shapes = jax.eval_shape(lambda: start)
    step = make_train_step(MODEL, mse, optimizer, precision="float16")
    reports = []
    for _ in range(4):
        state, values = step(state, BATCH)
        reports.append(values)
    before = jax.tree.map(np.asarray, (state.params, state.opt_state))
    state, values = step(state, POISONED)
    assert values["skipped"] == 1.0
    jax.tree.map(np.testing.assert_array_equal, before, (state.params, state.opt_state))
    # Read as late as a run reads them: the state of that step has been donated since.
    assert [float(v["learning_rate_scale"]) for v in reports] and not any(v["skipped"] for v in reports)
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert step.compilations == 1
    assert jax.eval_shape(lambda: state) == shapes


def test_all_wrappers_at_once_train_in_float16():
    inside = grouped(OPTIMIZERS["schedule_free"](0.05), {"**/bias": sgd(0.01), "stack_*/**": None})
    optimizer = lookahead(penalized(clipped_adaptively(inside, 0.5), l2=1e-3), every=2)
    state = new_state(MODEL, optimizer, BATCH, precision="float16")
    frozen = np.asarray(state.params["stack_0"]["inner"]["kernel"])
    step = make_train_step(MODEL, mse, optimizer, precision="float16")
    for _ in range(5):
        state, values = step(state, BATCH)
        assert not values["skipped"]
    np.testing.assert_array_equal(state.params["stack_0"]["inner"]["kernel"], frozen)
    assert step.compilations == 1
    slow = state.best_params["dense_0"]["kernel"]
    assert not np.allclose(slow, state.params["dense_0"]["kernel"])


def test_an_optimizers_own_average_is_what_is_evaluated():
    optimizer = OPTIMIZERS["schedule_free"](0.1)
    state = new_state(MODEL, optimizer, BATCH)
    step, (evaluate, compute) = make_train_step(MODEL, mse, optimizer), make_eval_step(MODEL, mse)
    for _ in range(30):
        state, values = step(state, BATCH)
    assert not np.allclose(state.best_params["dense_0"]["kernel"], state.params["dense_0"]["kernel"], atol=1e-4)
    assert compute(evaluate(state.best_params, state.state, BATCH))["loss"] < values["loss"] * 1.2


@pytest.mark.parametrize(("start", "every"), [(0, 1), (2, 3), (5, 1)])
def test_the_average_is_the_mean_of_the_visited_parameters(start, every):
    optimizer = sgd(0.1)
    state = new_state(MODEL, optimizer, BATCH, ema=True)
    step = make_train_step(MODEL, mse, optimizer, ema_decay=stochastic_weight_averaging(start=start, every=every))
    # Before the first step, after none: a point too where the average begins there.
    visited = [] if start else [np.asarray(state.params["dense_0"]["kernel"], np.float64)]
    for number in range(1, 9):
        state, _ = step(state, BATCH)
        kernel = np.asarray(state.params["dense_0"]["kernel"], np.float64)
        if number >= start and (number - start) % every == 0:
            visited.append(kernel)
        expected = np.mean(visited, axis=0) if visited else kernel
        np.testing.assert_allclose(state.best_params["dense_0"]["kernel"], expected, rtol=1e-5)
    assert len(visited) > 1
