from dataclasses import dataclass
import math
from typing import Literal

import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import (
    LARGEST,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    check_fields,
    check_options,
    check_value,
    options,
    plain,
    required_options,
)


@dataclass(frozen=True)
class Spec:
    features: PositiveInt
    rate: float = 0.5
    use_bias: bool = True
    mode: Literal["same", "valid"] | tuple[int, ...] = "same"
    widths: tuple[PositiveInt, ...] = ()
    name: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)


ACCEPTED = [
    (int, 3, 3),
    (int, np.int64(3), 3),
    (float, 3, 3.0),
    (float, np.float32(0.5), 0.5),
    (float, np.int32(2), 2.0),
    (bool, np.True_, True),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[tuple[int, ...], ...], [[1], [2, 3]], ((1,), (2, 3))),
    (tuple[int, int], [1, 2], (1, 2)),
    (str | None, None, None),
    (int | tuple[int, int], [1, 2], (1, 2)),
    (int | float, 1, 1),
    (PositiveInt, LARGEST, LARGEST),
    (NonNegativeInt, 0, 0),
    (NonNegativeFloat, 0, 0.0),
    (Probability, 0, 0.0),
    (Fraction, 1, 1.0),
]


@pytest.mark.parametrize(("hint", "given", "expected"), ACCEPTED)
def test_a_fitting_value_is_normalised(hint, given, expected):
    value, complaint = check_value(hint, given)
    assert complaint == ""
    assert value == expected
    assert type(value) is type(expected)


REFUSED = [
    (int, True, "should be a valid integer"),
    (int, np.True_, "should be a valid integer"),
    (int, "3", "should be a valid integer"),
    (int, 3.0, "should be a valid integer"),
    (int, None, "should be a valid integer"),
    (float, "1e-3", "should be a valid number"),
    (float, True, "should be a valid number"),
    (float, math.nan, "finite"),
    (float, math.inf, "finite"),
    (bool, 1, "should be a valid boolean"),
    (bool, "true", "should be a valid boolean"),
    (str, 3, "should be text"),
    (str, b"a", "should be text"),
    (PositiveInt, 0, "should be greater than 0"),
    (PositiveInt, LARGEST + 1, "less than or equal"),
    (NonNegativeInt, -1, "greater than or equal to 0"),
    (PositiveFloat, 0.0, "should be greater than 0"),
    (NonNegativeFloat, -1e-9, "greater than or equal to 0"),
    (Probability, 1.0, "less than 1"),
    (Fraction, 1.01, "less than or equal to 1"),
    (tuple[int, ...], "12", "should be a list"),
    (tuple[int, ...], 3, "should be a list"),
    (tuple[int, ...], {}, "should be a list"),
    (tuple[int, int], [1], "more items"),
    (tuple[int, ...], [1, True], "should be a valid integer"),
    (Literal["a", "b"], "c", "should be 'a' or 'b'"),
    (Literal["a"] | PositiveInt, -1, "should be 'a' or greater than 0"),
    (int | tuple[int, int], "x", "should be a valid integer or a list"),
]


@pytest.mark.parametrize(("hint", "given", "complaint"), REFUSED)
def test_a_value_that_does_not_fit_is_refused(hint, given, complaint):
    assert complaint in check_value(hint, given)[1]


def test_plain_leaves_named_tuples_alone():
    found = np.linalg.slogdet(np.eye(2))
    assert plain(found) is found


def test_fields_are_normalised_in_place_and_hash():
    spec = Spec(np.int32(3), rate=1, widths=[1, 2], mode=[1, 2])
    assert spec == Spec(3, 1.0, widths=(1, 2), mode=(1, 2))
    assert hash(spec) == hash(Spec(3, 1.0, widths=(1, 2), mode=(1, 2)))
    assert type(spec.features) is int


def test_all_bad_fields_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        Spec(-1, rate="x", widths=(1, 0), mode="full")
    assert {problem.place for problem in caught.value.problems} == {"features", "rate", "widths", "mode"}
    assert caught.value.problems[0].cause == "Spec.features = -1: should be greater than 0"


def function(x, y=1, *, rate: PositiveFloat, count: PositiveInt = 2, name: str = "a"):
    return x, y, rate, count, name


def test_the_options_of_a_function_are_its_keyword_only_parameters():
    assert list(options(function)) == ["rate", "count", "name"]
    assert required_options(function) == {"rate"}


def test_the_options_of_a_class_are_its_fields():
    assert list(options(Spec)) == ["features", "rate", "use_bias", "mode", "widths", "name"]
    assert options(Spec)["features"] == PositiveInt
    assert required_options(Spec) == {"features"}


def test_options_are_all_checked_in_one_pass():
    checked, problems = check_options(function, {"count": 0, "nam": "b", 5: 1, "name": "ok"})
    assert checked["name"] == "ok"
    assert [(problem.place, problem.cause) for problem in problems] == [
        ("nam", "function has no option 'nam'"),
        ("5", "function has no option 5"),
        ("", "function needs 'rate'"),
        ("count", "function.count = 0: should be greater than 0"),
    ]
    assert problems[0].fix == "did you mean 'name'? known: count, name, rate"


def test_a_huge_value_is_shown_in_brief():
    _, problems = check_options(function, {"rate": "x" * 100_000})
    assert len(problems[0].cause) < 300
