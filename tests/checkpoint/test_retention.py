import math

import pytest

from zerfoo_jax.checkpoint import Retention
from zerfoo_jax.core.errors import ConfigError

LOSSES = {1: 0.9, 2: 0.1, 3: 0.5, 4: math.nan, 5: 0.2, 6: 0.8}
METRICS = {step: {"loss": loss, "accuracy": 1 - loss} for step, loss in LOSSES.items()} | {7: {}}


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (Retention(1, 0), {7}),
        (Retention(2, 1), {6, 7}),
        (Retention(2, 1, "loss"), {2, 6, 7}),
        (Retention(1, 2, "loss"), {2, 5, 7}),
        (Retention(1, 3, "loss"), {2, 3, 5, 7}),
        (Retention(3, 2, "loss"), {2, 5, 6, 7}),
        (Retention(1, 2, "accuracy", "max"), {2, 5, 7}),
        (Retention(1, 1, "loss", "max"), {1, 7}),
        (Retention(1, 9, "loss"), {1, 2, 3, 5, 6, 7}),
        (Retention(1, 2, "unknown"), {7}),
        (Retention(99, 0), set(range(1, 8))),
    ],
)
def test_kept_is_the_last_and_the_best(rule, kept):
    assert rule.kept(METRICS) == kept


def test_of_equal_values_the_earlier_is_best():
    same = {step: {"loss": 1.0} for step in (30, 10, 20)}
    assert Retention(1, 1, "loss").best(same) == [10] == Retention(1, 1, "loss", "max").best(same)


def test_nothing_saved_nothing_kept():
    assert Retention(1, 1, "loss").kept({}) == set()


@pytest.mark.parametrize("options", [{"keep_last": 0}, {"keep_best": -1}, {"mode": "best"}, {"monitor": 3}, {"keep_last": 1.5}])
def test_bad_options_are_named(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Retention(**options)
