import math

import pytest

from zerfoo_jax.core.errors import DivergedError
from zerfoo_jax.experiment.nonfinite import NonfiniteGuard, RollbackError
from zerfoo_jax.experiment.schema import NonfiniteSection


def guard(policy, limit=2):
    return NonfiniteGuard(NonfiniteSection(policy=policy, limit=limit))


@pytest.mark.parametrize("policy", ["stop", "skip", "rollback"])
def test_finite_steps_pass(policy):
    watched = guard(policy)
    for step in range(100):
        watched.observe(step, {"loss": 1e30, "skipped": 0.0})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_stop(value, name):
    with pytest.raises(DivergedError, match="not finite after step 7") as caught:
        guard("stop").observe(7, {"loss": 1.0, name: value})
    assert "learning rate" in caught.value.problems[0].fix


def test_skipped_steps_are_counted_in_a_row():
    watched = guard("skip")
    skipped, good = {"loss": math.nan, "skipped": 1.0}, {"loss": 1.0, "skipped": 0.0}
    for step, values in enumerate([skipped, skipped, good, skipped, skipped]):
        watched.observe(step, values)
    with pytest.raises(DivergedError, match="3 steps in a row were not finite, up to step 9"):
        watched.observe(9, skipped)


def test_rolling_back_is_counted_over_the_run():
    watched = guard("rollback")
    for step in (5, 9):
        with pytest.raises(RollbackError) as caught:
            watched.observe(step, {"loss": math.nan})
        assert caught.value.step == step
        watched.observe(step + 1, {"loss": 1.0})
    assert watched.rollbacks == 2
    with pytest.raises(DivergedError):
        watched.observe(12, {"loss": math.nan})


def test_parameters_that_are_not_finite_are_treated_alike():
    with pytest.raises(DivergedError):
        guard("stop").react(3)
    with pytest.raises(DivergedError):
        guard("skip").react(3)
    with pytest.raises(RollbackError):
        guard("rollback").react(3)
