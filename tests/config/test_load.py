import json
from typing import Literal

import pytest

from zerfoo_jax.config.load import NamedSection, Places, Section, load
from zerfoo_jax.config.yaml import parse
from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.fields import NonNegativeInt, PositiveFloat, PositiveInt


class Train(Section):
    steps: PositiveInt
    rate: PositiveFloat = 0.1
    policy: Literal["stop", "skip"] = "stop"


class Config(Section):
    name: str
    seed: NonNegativeInt = 0
    flag: bool = False
    train: Train | None = None
    loss: str | NamedSection = "mse"
    metrics: tuple[str | NamedSection, ...] = ()


@pytest.fixture
def problems(tmp_path):
    def of(text, overrides=(), environment=None):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load(Config, path, overrides, environment)
        return [Problem(p.cause, p.place.replace(str(path), "c.yaml"), p.fix) for p in caught.value.problems]

    return of


@pytest.fixture
def loaded(tmp_path):
    def of(text, overrides=(), environment=None):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return load(Config, path, overrides, environment)[0]

    return of


def test_values_are_checked_and_not_coerced(loaded, problems):
    assert loaded("name: a\ntrain: {steps: 3, rate: 1}").train == Train(steps=3, rate=1.0)
    for value in ("'3'", "3.0", "true", "null", "0", "[3]", "{a: 3}"):
        (problem,) = problems(f"name: a\ntrain: {{steps: {value}}}")
        assert problem.cause.startswith("train.steps = ")
        assert problem.place == "c.yaml:2:9"
    for value in (".nan", ".inf", "1e999", "-1e-9", "'1'", "true"):
        assert problems(f"name: a\ntrain: {{steps: 1, rate: {value}}}")[0].cause.startswith("train.rate = ")
    for value in ("1", "yes", "'true'"):
        assert problems(f"name: a\nflag: {value}")[0].cause.startswith("flag = ")


def test_every_problem_is_found_in_one_pass(problems):
    found = problems("nmae: a\nseed: -1\ntrain: {stps: 3, policy: go}\nloss: 5", ["flagg.x=1"], {"ZERFOO_TRAIN__RATE": "no"})
    assert {problem.place: problem.cause for problem in found} == {
        "c.yaml:1:1": found[-2].cause,
        "c.yaml:2:1": "seed = -1: should be greater than or equal to 0",
        "c.yaml:3:1": "'train.steps' is missing",
        "c.yaml:3:9": "unknown key 'train.stps'",
        "c.yaml:3:18": "train.policy = 'go': should be 'stop' or 'skip'",
        "environment variable ZERFOO_TRAIN__RATE": "train.rate = 'no': should be a valid number",
        "c.yaml:4:1": "loss = 5: should be text or a mapping",
        "command line: flagg.x=1": "unknown key 'flagg'",
    }
    assert "'name' is missing" in [problem.cause for problem in found]
    assert "unknown key 'nmae'" in [problem.cause for problem in found]


@pytest.mark.parametrize("key", ["Seed", "sed", "seeed"])
def test_an_unknown_key_gets_the_likely_spelling(problems, key):
    (problem,) = problems(f"name: a\n{key}: 1")
    assert problem == Problem(f"unknown key {key!r}", "c.yaml:2:1", problem.fix)
    assert "did you mean 'seed'?" in problem.fix


@pytest.mark.parametrize("key", ["Zzz", "str", "int", "a[b", "a.b", "0", "", "__class__", "é"])
def test_an_odd_unknown_key_is_reported_as_it_is_written(problems, key):
    (problem,) = problems(f"name: a\n'{key}': 1")
    assert problem.cause == f"unknown key {key!r}"
    assert problem.place == "c.yaml:2:1"


def test_inside_a_section_its_own_keys_are_known(problems):
    (problem,) = problems("name: a\ntrain: {steps: 1, polcy: skip}")
    assert problem.fix == "did you mean 'policy'? known: policy, rate, steps"


def test_a_union_is_one_problem(problems):
    assert [p.cause for p in problems("name: a\nloss: [1]")] == ["loss = [1]: should be text or a mapping"]
    (problem,) = problems("name: a\nloss: {smoothing: 1}")
    assert problem == Problem("'loss.name' is missing", "c.yaml:2:1", "add it: name: ...")
    (problem,) = problems("name: a\nloss: {name: 3}")
    assert problem.cause == "loss.name = 3: should be text"


def test_a_huge_value_is_shown_in_brief(problems):
    (problem,) = problems("name: a\nseed: " + "x" * 100_000)
    assert len(problem.cause) < 300


def test_a_variable_of_another_program_is_ignored_with_a_word(loaded, caplog):
    assert loaded("name: a", (), {"ZERFOO_HOME": "/opt", "ZERFOO_SEED": "4"}).seed == 4
    assert [record.getMessage() for record in caplog.records] == [
        "environment variable ZERFOO_HOME is no setting and is ignored"
    ]


def test_a_misspelt_setting_in_a_variable_is_refused(problems):
    (problem,) = problems("name: a", (), {"ZERFOO_TRIAN__STEPS": "4"})
    assert problem.place == "environment variable ZERFOO_TRIAN__STEPS"
    assert "did you mean 'train'?" in problem.fix


def test_places_fall_back_to_the_section_around():
    places = Places(parse("model:\n  nodes:\n    '0': {type: Dense}\n  layers: [a, b]", "f"), "f")
    assert places(("model", "nodes", 0, "features")) == "f:3:5"
    assert places(("model", "layers", 1)) == "f:4:15"
    assert places(("model", "other")) == "f:1:1"
    assert places(("optimizer",)) == "f:1:1"


def test_located_problems_keep_their_kind_and_name_the_path():
    places = Places(parse("model:\n  layers:\n    - {type: Dense, features: 0}", "f"), "f")
    error = places.locate(ConfigError("bad", place="layers[0].features", fix="mend"), "model")
    assert error.problems == (Problem("bad", "f:3:21 (model.layers[0].features)", "mend"),)
    assert places.locate(ConfigError("bad")).problems == (Problem("bad", "f:1:1", ""),)


def test_a_loaded_config_is_frozen(loaded):
    config = loaded("name: a\nloss: {name: huber, delta: 2}")
    assert config.loss.spec() == {"name": "huber", "delta": 2}
    with pytest.raises(ValueError, match="frozen"):
        config.name = "b"


def test_places_of_odd_names_are_found_and_printed_in_one_line():
    names = ("layer1.0", "a/b", "01", "a[2]", "\u001b[31m\n")
    text = "model:\n  nodes:\n" + "".join(f"    {json.dumps(name)}: Flatten\n" for name in names)
    places = Places(parse(text, "f"), "f")
    located = places.locate(ConfigError([Problem("x", f"nodes.{name}") for name in names]), "model")
    assert [problem.place.split(" ", 1)[0] for problem in located.problems] == [f"f:{line}:5" for line in (3, 4, 5, 6, 7)]
    assert located.problems[-1].place.endswith("(model.nodes.\\x1b[31m\\n)")
