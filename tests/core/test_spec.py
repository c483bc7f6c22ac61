from dataclasses import dataclass
import json
from typing import Any

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import bind, layer_from_spec, layer_to_spec
from zerfoo_jax.data import DATASETS
from zerfoo_jax.layers import LAYERS, Activation, Conv2D, Dense, Dropout, Flatten, Residual, Sequential, Stack
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.metrics import METRICS
from zerfoo_jax.models import MODELS
from zerfoo_jax.optim import OPTIMIZERS, SCHEDULES

NESTED = Sequential(
    (
        Flatten(),
        Residual(
            Sequential((Dense(3, use_bias=False), Activation({"name": "leaky_relu", "negative_slope": 0.3}))), shortcut=Dense(3)
        ),
        Stack(Residual(Dense(3)), 4, unroll=True),
        Conv2D(2, (3, 5)),
        Dropout(0.25),
    )
)


def problems(spec: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        layer_from_spec(spec, LAYERS)
    return [(problem.place, problem.cause) for problem in caught.value.problems]


@pytest.mark.parametrize("layer", [*NESTED.layers, NESTED, Sequential(())])
def test_a_layer_comes_back_from_its_spec_through_json(layer):
    spec = json.loads(json.dumps(layer_to_spec(layer)))
    back = layer_from_spec(spec, LAYERS)
    assert back == layer
    assert hash(back) == hash(layer)


def test_fields_at_their_defaults_are_left_out():
    assert layer_to_spec(Dense(3)) == {"type": "Dense", "features": 3}
    assert layer_to_spec(Residual(Flatten())) == {"type": "Residual", "inner": {"type": "Flatten"}}


def test_a_layer_may_be_a_bare_name_a_mapping_or_a_layer():
    spec = {"type": "Sequential", "layers": ["Flatten", {"type": "Dense", "features": 2}, Dense(1)]}
    assert layer_from_spec(spec, LAYERS) == Sequential((Flatten(), Dense(2), Dense(1)))
    assert spec["layers"][1] == {"type": "Dense", "features": 2}, "the given mapping stays as it is"


def test_every_problem_is_found_with_its_path():
    layers = [
        {"type": "Dense", "features": -1, "use_bias": 1},
        {"type": "Dens", "features": 2},
        {"type": "Residual", "inner": {"type": "Stack", "block": {"type": "Dense"}, "num_layers": "3"}},
        {"type": "Activation", "function": "rellu"},
        7,
        None,
        {"features": 2},
    ]
    found = problems({"type": "Sequential", "layers": layers, "laiers": 1})
    assert [place for place, _ in found] == [
        "model.layers[0].features",
        "model.layers[0].use_bias",
        "model.layers[1].type",
        "model.layers[2].inner.block",
        "model.layers[2].inner.num_layers",
        "model.layers[3].function",
        "model.layers[4]",
        "model.layers[5]",
        "model.layers[6]",
        "model.laiers",
    ]
    causes = dict(found)
    assert causes["model.layers[0].features"] == "Dense.features = -1: should be greater than 0"
    assert causes["model.layers[2].inner.block"] == "Dense needs 'features'"
    assert "did you mean 'relu'" in causes["model.layers[3].function"]


BROKEN = [None, 3, [], [{"type": "Flatten"}], {}, {"type": None}, {"type": 3}, {"type": ["Dense"]}, {"type": {"a": 1}}, ""]


@pytest.mark.parametrize("spec", BROKEN)
def test_what_is_no_layer_is_one_problem(spec):
    assert len(problems(spec)) == 1


@pytest.mark.parametrize("layers", [None, 3, "Flatten", {"type": "Flatten"}, {"a": {"type": "Flatten"}}])
def test_a_list_of_layers_must_be_a_list(layers):
    ((place, cause),) = problems({"type": "Sequential", "layers": layers})
    assert place == "model.layers"
    assert cause.endswith("should be a list")


@pytest.mark.parametrize("key", [5, None, (1, 2), True])
def test_a_key_that_is_no_text(key):
    ((_, cause),) = problems({"type": "Flatten", key: 1})
    assert cause == f"Flatten has no option {key!r}"


def test_layers_nested_too_deep():
    spec: Any = "Flatten"
    for _ in range(5000):
        spec = {"type": "Residual", "inner": spec}
    assert problems(spec) == [("model", "the layers are nested too deep")]


def test_a_rule_over_several_fields_is_a_problem_like_any_other():
    @dataclass(frozen=True)
    class Even(Layer):
        features: PositiveInt

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.features % 2:
                raise ConfigError("should be even")

    with pytest.raises(ConfigError) as caught:
        layer_from_spec({"type": "Sequential", "layers": [{"type": "Even", "features": 3}]}, {**LAYERS, "Even": Even})
    assert [(p.place, p.cause) for p in caught.value.problems] == [("model.layers[0]", "should be even")]


def test_bind_fills_in_options_and_leaves_the_rest_to_the_caller():
    loss = bind(LOSSES, {"name": "cross_entropy", "label_smoothing": 0.1}, "loss")
    assert loss.func is LOSSES["cross_entropy"]
    assert loss.keywords == {"label_smoothing": 0.1}
    assert bind(LOSSES, "mse", "loss").keywords == {}


TABLES = {
    "loss": LOSSES,
    "metric": METRICS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "model": MODELS,
    "dataset": DATASETS,
}


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_member_of_any_table(kind):
    table = TABLES[kind]
    name = next(iter(table))
    for wrong in (f"{name}s", None, 3, ["a"], {"a": 1}):
        with pytest.raises(ConfigError, match=f"unknown {kind}") as caught:
            bind(table, {"name": wrong}, kind)
        assert f"known: {sorted(table)[0]}" in caught.value.problems[0].fix
    with pytest.raises(ConfigError, match=f"unknown {kind} None"):
        bind(table, {}, kind)
    with pytest.raises(ConfigError, match="did you mean"):
        bind(table, f"{name}s", kind)


@pytest.mark.parametrize("kind", TABLES)
def test_an_unknown_option_of_every_member_of_every_table(kind):
    for name in TABLES[kind]:
        with pytest.raises(ConfigError) as caught:
            bind(TABLES[kind], {"name": name, "no_such_option": 1}, kind)
        assert "no_such_option" in [problem.place for problem in caught.value.problems]


def test_options_of_functions_are_strict():
    with pytest.raises(ConfigError) as caught:
        bind(OPTIMIZERS, {"name": "adam", "b1": "0.9", "b2": 1.0, "eps": True}, "optimizer")
    assert [problem.place for problem in caught.value.problems] == ["b1", "b2", "eps"]


def test_a_field_may_name_a_member_of_a_table_with_options():
    given = {"type": "Activation", "function": {"name": "softmax", "axis": 0}}
    layer = layer_from_spec(given, LAYERS)
    assert layer == Activation({"name": "softmax", "axis": 0}) and hash(layer)
    assert layer_to_spec(layer) == given and layer_from_spec(layer_to_spec(layer), LAYERS) == layer
    assert "softmax has no option 'axs'" in problems({**given, "function": {"name": "softmax", "axs": 0}})[0][1]


@pytest.mark.parametrize("value", [{"name": "normal", "stddev": -1}, {"name": "constant"}, {"nam": "normal"}, "normall", 3])
def test_a_member_that_does_not_exist_or_lacks_options_is_refused(value):
    with pytest.raises(ConfigError, match=r"Dense\.kernel_init = "):
        Dense(3, kernel_init=value)
