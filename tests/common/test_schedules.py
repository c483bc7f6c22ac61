"""Every member of SCHEDULES: within bounds over a whole run, alike for numbers and arrays, checks its options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.optim import SCHEDULES

BAD_OPTIONS = {
    "constant": {"warmup_steps": -1},
    "cosine": {"final_fraction": 1.5},
    "cosine_restarts": {"growth": 0},
    "exponential": {"final_fraction": 0.0},
    "inverse_sqrt": {"timescale": 0},
    "linear": {"final_fraction": -0.1},
    "multi_step": {"factor": 0.0},
    "one_cycle": {"shape": "square"},
    "polynomial": {"power": 0.0},
    "reduce_on_plateau": {"factor": 1.0},
    "step": {"every": 0},
}
REQUIRED = {"cosine_restarts": {"period": 4}, "multi_step": {"milestones": (51, 55)}, "step": {"every": 3}}
START_OF_WARM_UP = {"one_cycle": 0.04}
"""As a part of the peak, where it is not 0."""

every_member = pytest.mark.parametrize("name", sorted(SCHEDULES))


def test_every_member_has_bad_options():
    assert sorted(BAD_OPTIONS) == sorted(SCHEDULES)


@every_member
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (7, 3), (50, 50)])
def test_lies_between_zero_and_the_peak_and_starts_there_without_warm_up(name, steps, warmup):
    schedule = SCHEDULES[name](0.3, steps, warmup_steps=warmup, **REQUIRED.get(name, {}))
    rates = np.asarray(jax.jit(schedule)(jnp.arange(steps + 10)))
    assert np.isfinite(rates).all() and (rates >= 0).all() and (rates <= 0.3 * (1 + 1e-6)).all()
    np.testing.assert_allclose(rates[0], 0.3 * START_OF_WARM_UP.get(name, 0.0) if warmup else 0.3, rtol=1e-6)
    np.testing.assert_allclose([float(schedule(step)) for step in range(steps + 10)], rates, rtol=1e-5, atol=1e-7)


@every_member
def test_has_a_docstring_with_an_example(name):
    assert ">>>" in SCHEDULES[name].__doc__


@every_member
def test_bad_options_are_refused_with_their_name(name):
    ((option, value),) = BAD_OPTIONS[name].items()
    with pytest.raises(ConfigError, match=f"{name}.{option} = {value!r}"):
        bind(SCHEDULES, {"name": name, **REQUIRED.get(name, {}), option: value}, "schedule")
    with pytest.raises(ConfigError, match=f"{name}.{option} = {value!r}"):
        SCHEDULES[name](1.0, 10, **{**REQUIRED.get(name, {}), option: value})
    with pytest.raises(ConfigError, match=f"{name}.peak = -1.0"):
        SCHEDULES[name](-1.0, 10, **REQUIRED.get(name, {}))
