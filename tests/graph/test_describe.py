"""Schemas say what the constructors check, as an independent validator reads them."""

from functools import cache

import pytest

from tests.common.test_layers import EXAMPLES
import zerfoo_jax as zf
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.engines import ENGINES
from zerfoo_jax.experiment.tables import TABLES
from zerfoo_jax.graph import TABLE, Graph, Input, Node, Shared, graph_of, model_from_spec, model_to_spec
import zerfoo_jax.layers as L
from zerfoo_jax.losses import LOSSES, mse
from zerfoo_jax.models import MODELS, gpt
from zerfoo_jax.optim import OPTIMIZERS, adamw

Validator = pytest.importorskip("jsonschema", reason="the dev extra is not installed").Draft202012Validator

GRAPH = Graph(
    (Input("x", (None, 3)), "y"),
    (
        Node("a", L.Dense(3), ("x",)),
        Node("again", Shared("a"), ("y",)),
        Node("inner", graph_of({"sum": (L.Add(), "inputs", "inputs")}), ("a",)),
        Node("sum", L.Add(), ("inner", "again")),
    ),
    ("sum", "a"),
)


@cache
def validator(name="TABLE"):
    schema = zf.describe({"TABLE": TABLE, "ENGINES": ENGINES, **TABLES}[name])
    Validator.check_schema(schema)
    return Validator(schema)


@pytest.mark.parametrize("name", ["TABLE", "ENGINES", *sorted(TABLES.keys() - {"LAYERS"})])
def test_the_schema_of_every_table_is_one_and_allows_every_name(name):
    members = validator(name)
    key = "type" if name == "TABLE" else "name"
    for one in {"TABLE": TABLE, "ENGINES": ENGINES, **TABLES}[name]:
        assert not members.is_valid({key: one, "no_such_option": 1}), one
    assert not members.is_valid({key: "no_such_member"}) and not members.is_valid("no_such_member")


def test_every_layer_is_what_its_schema_says():
    for layer, _ in EXAMPLES.values():
        spec = model_to_spec(layer)
        assert validator().is_valid(spec), spec


@pytest.mark.parametrize("model", [GRAPH, gpt(num_layers=2), MODELS["lenet"](num_classes=3), L.Dense(3)])
def test_a_models_own_values_are_the_default_of_its_schema(model):
    schema = zf.describe(model)
    Validator.check_schema(schema)
    assert schema["default"] == model_to_spec(model)
    assert Validator(schema).is_valid(schema["default"])
    assert validator().is_valid(schema["default"])
    assert not Validator(schema).is_valid({**schema["default"], "surprise": 1})


DENSE = {"type": "Dense", "features": 3}
NODE = {"type": "Graph", "nodes": {"a": DENSE}}
WRONG = [
    {"type": "Dense"},
    {"type": "Dens", "features": 3},
    {"features": 3},
    {**DENSE, "feature": 3},
    *({**DENSE, "features": wrong} for wrong in (0, -1, 2**31, 2.5, "3", None, [3], True)),
    *({**DENSE, "use_bias": wrong} for wrong in (1, "yes", None)),
    *(
        {**DENSE, "kernel_init": wrong}
        for wrong in ("glorot", 3, {"name": "normal", "stddev": 0}, {"stddev": 1.0}, {"name": 1})
    ),
    {**DENSE, "kernel_init": {"name": "normal", "deviation": 1.0}},
    {**DENSE, "kernel_init": "constant"},
    *({"type": "Dropout", "rate": wrong} for wrong in (1, 1.5, -0.1, "0.5", None)),
    *({"type": "Conv2D", "features": 4, "kernel_size": wrong} for wrong in (0, [3], [3, 3, 3], [3, 0], "3", {})),
    *({"type": "Conv2D", "features": 4, "kernel_size": 3, "padding": wrong} for wrong in ("same", [[1, 0]], [[-1, 0], [0, 0]])),
    *(
        {"type": "Activation", "function": wrong}
        for wrong in ("rel", {"name": "leaky_relu", "slope": 1.0}, {"name": "gelu", "x": 1})
    ),
    *({"type": "KMeans", "num_clusters": wrong} for wrong in (0, None)),
    *({"type": "Sequential", "layers": wrong} for wrong in (DENSE, "Flatten", [3], ["Dense"], [{"type": "Dense"}], None)),
    {"type": "Sequential", "layers": [{"type": "Residual", "inner": {"type": "Dropout", "rate": 2}}]},
    {"type": "MultiHeadAttention", "num_heads": 2, "rotary": DENSE},
    {"type": "MultiHeadAttention", "num_heads": 2, "rotary": {"type": "RotaryPositions", "base": 0.0}},
    {"type": "FractionalMaxPool2D", "window": 2, "output_ratio": 1.0},
    {"type": "Parallel", "branches": [DENSE], "combine": "addd"},
    {"type": "Softmax", "variant": {"name": "entmax", "alpha": 0.5}},
    {**NODE, "nodes": {}},
    {**NODE, "nodes": [DENSE]},
    {**NODE, "node": 3},
    {**NODE, "outputs": 3},
    {**NODE, "inputs": {"x": {"shape": [None, -3]}}},
    {**NODE, "inputs": {"x": {"size": 3}}},
    {**NODE, "nodes": {"a": {**DENSE, "input": "x"}}},
    {**NODE, "nodes": {"a": {**DENSE, "inputs": 3}}},
    {**NODE, "nodes": {"a": {"layer": DENSE, "type": "Dense"}}},
    {**NODE, "nodes": {"a/b": DENSE}},
    {**NODE, "nodes": {"a": "Dense"}},
]


def test_what_the_constructors_refuse_the_schema_refuses():
    for spec in WRONG:
        with pytest.raises(ConfigError):
            model_from_spec(spec)
        assert not validator().is_valid(spec), spec


RIGHT = [
    "Flatten",
    {**DENSE, "kernel_init": {"name": "normal", "stddev": 1}},
    {"type": "Conv2D", "features": 4, "kernel_size": [3, 3], "padding": [[1, 0], [0, 2]]},
    {"type": "Sequential", "layers": ["Flatten", DENSE]},
    {"type": "Residual", "inner": {"type": "Activation", "function": {"name": "leaky_relu"}}, "shortcut": None},
    {**NODE, "inputs": "x", "outputs": "a"},
    {**NODE, "nodes": {"a": "Flatten", "b": {"layer": NODE, "inputs": ["a"]}, "c": {**DENSE, "inputs": "b"}}},
]


def test_what_they_take_it_allows():
    for spec in RIGHT:
        model_from_spec(spec)
        assert validator().is_valid(spec), spec


WRONG_OPTIONS = [
    ("LOSSES", LOSSES, {"name": "cross_entropy", "label_smoothing": 1.5}),
    ("LOSSES", LOSSES, {"name": "huber", "delta": 0}),
    ("OPTIMIZERS", OPTIMIZERS, {"name": "adamw", "b1": 1}),
    ("OPTIMIZERS", OPTIMIZERS, {"name": "adamw", "b3": 0.5}),
    ("OPTIMIZERS", OPTIMIZERS, "adamm"),
    ("MODELS", MODELS, {"name": "gpt", "num_layers": 0}),
    ("MODELS", MODELS, {"name": "gpt", "output": "nothing"}),
]


@pytest.mark.parametrize(("name", "table", "spec"), WRONG_OPTIONS)
def test_options_of_other_tables(name, table, spec):
    with pytest.raises(ConfigError):
        bind(table, spec, name)
    assert not validator(name).is_valid(spec)


def test_a_function_is_described_by_its_options():
    schema = zf.describe(adamw)
    assert schema["description"].startswith("Adam") and schema["properties"]["b1"]["default"] == 0.9
    assert Validator(schema).is_valid({"b1": 0.8}) and not Validator(schema).is_valid({"b1": 1})
    assert Validator(zf.describe(mse)).is_valid({})


def test_forms_find_what_they_show():
    schema = zf.describe(L.MultiHeadAttention)
    heads = schema["$defs"]["MultiHeadAttention"]["properties"]
    assert heads["kernel_init"] == {"$ref": "#/$defs/initializer", "default": "lecun_normal"}
    assert heads["causal"]["type"] == "boolean" and heads["causal"]["default"] is False
    assert heads["causal"]["description"].startswith("`causal` forbids what comes later")
    assert {"type": "null"} in heads["qk_norm"]["anyOf"] and {"$ref": "#/$defs/layer"} in heads["qk_norm"]["anyOf"]
    assert schema["$defs"]["MultiHeadAttention"]["required"] == ["type", "num_heads"]
    names, *members = schema["$defs"]["initializer"]["oneOf"]
    assert "zeros" in names["enum"] and "constant" not in names["enum"]
    (normal,) = [member for member in members if member["properties"]["name"] == {"const": "normal"}]
    assert normal["properties"]["stddev"] == {"exclusiveMinimum": 0, "type": "number", "default": 0.02}


def test_what_is_no_part_of_the_package_is_refused():
    with pytest.raises(ConfigError, match="3 cannot be described"):
        zf.describe(3)
