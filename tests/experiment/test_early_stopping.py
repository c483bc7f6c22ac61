import json

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.early_stopping import exhausted, observe
from zerfoo_jax.experiment.schema import EarlyStoppingSection


def stops_after(values, **options):
    """How many evaluations it takes, or None."""
    section, state = EarlyStoppingSection(monitor="m", **options), {}
    for count, value in enumerate(values, 1):
        state = json.loads(json.dumps(observe(section, state, {"m": value})))  # as a checkpoint keeps it
        if exhausted(section, state):
            return count
    return None


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        ([3, 2, 1, 1, 1], {"patience": 2}, 5),
        ([3, 2, 1, 1.5, 0.5, 0.6, 0.7], {"patience": 2}, 7),
        ([1, 2, 3, 3, 3], {"patience": 2, "mode": "max"}, 5),
        ([1.0, 0.95, 0.9, 0.85], {"patience": 2, "min_delta": 0.1}, 3),
        ([1.0, 0.85, 0.7], {"patience": 1, "min_delta": 0.1}, None),
        ([1, 1], {"patience": 1}, 2),
        ([3, 2, 1], {"patience": 1}, None),
        ([0.0, -1.0, -2.0], {"patience": 1}, None),
    ],
)
def test_patience_counts_evaluations_without_gain(values, options, expected):
    assert stops_after(values, **options) == expected


def test_what_is_not_a_number_is_no_gain():
    assert stops_after([1.0, float("nan"), float("nan")], patience=2) == 3


def test_a_first_value_that_is_not_a_number_does_not_stay_the_best():
    assert stops_after([float("nan"), 3.0, 2.0, 1.0, 0.5], patience=2) is None


def test_a_run_of_values_that_are_no_numbers_stops():
    assert stops_after([float("nan")] * 5, patience=3) == 3


def test_nothing_observed_is_not_exhausted():
    assert not exhausted(EarlyStoppingSection(patience=1), {})


def test_a_metric_that_is_not_measured():
    with pytest.raises(ConfigError, match="'validation/los'") as caught:
        observe(EarlyStoppingSection(monitor="validation/los"), {}, {"validation/loss": 1.0})
    assert "did you mean 'validation/loss'" in caught.value.problems[0].fix
