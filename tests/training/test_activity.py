"""The activity of a training step is what that very step computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.training import classes_batch, new_state
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.recording import SUMMARY
from zerfoo_jax.layers import Dense, Dropout, Sequential
from zerfoo_jax.optim import sgd
from zerfoo_jax.training import make_activity_step
from zerfoo_jax.training.gradients import split

MODEL = Sequential((Dense(5), Dropout(0.5), Dense(3)))
MEAN = SUMMARY.index("mean")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_is_what_the_step_sees(accumulate):
    batch, optimizer = classes_batch(8), sgd(0.1)
    state = new_state(MODEL, optimizer, batch)
    activity = make_activity_step(MODEL, accumulate=accumulate)(state, batch)
    key = jax.random.fold_in(state.key, state.step)
    part = batch if accumulate == 1 else jax.tree.map(lambda x: x[0], split(batch, 2))
    key = key if accumulate == 1 else jax.random.split(key, 2)[0]
    hidden = part["inputs"] @ state.params["dense_0"]["kernel"] + state.params["dense_0"]["bias"][None]
    np.testing.assert_allclose(activity["dense_0"][MEAN], hidden.mean(), rtol=1e-4, atol=1e-6)
    output, _ = MODEL.apply(state.params, state.state, part["inputs"], key=key, train=True)
    np.testing.assert_allclose(activity["dense_1"][MEAN], output.mean(), rtol=1e-4, atol=1e-6)
    assert activity["dropout_0"][SUMMARY.index("zeros")] > 0.2


def test_it_computes_in_the_precision_of_the_step():
    batch = classes_batch(8)
    state = new_state(MODEL, sgd(0.1), batch)
    exact, half = (make_activity_step(MODEL, "dense_0", precision=p)(state, batch)["dense_0"] for p in ("float32", "bfloat16"))
    assert half.dtype == jnp.float32 and 0 < np.abs(exact - half).max() < 0.05


def test_a_pattern_that_finds_nothing():
    batch = classes_batch(8)
    with pytest.raises(ConfigError, match=r"no node matches 'dense'.*"):
        make_activity_step(MODEL, "dense")(new_state(MODEL, sgd(0.1), batch), batch)
