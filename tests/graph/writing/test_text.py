"""Models as YAML and JSON files; that every model comes back equal is tested in `test_forms.py`."""

import pytest

from tests.support.custom_layers import Scale
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph import Graph, Input, Node, check, from_json, from_yaml, graph_of, read_model, to_json, to_python, to_yaml
from zerfoo_jax.layers import Dense, Residual, Sequential, Slice

GRAPH = Graph(
    (Input("日本", (None, 4)),), (Node("true", Dense(3), ("日本",)), Node("1e3", Slice(-(10**200)), ("true",))), ("1e3",)
)


@pytest.mark.parametrize(("suffix", "write"), [(".yaml", to_yaml), (".yml", to_yaml), (".json", to_json)])
def test_files_are_read_by_their_suffix(tmp_path, suffix, write):
    path = tmp_path / f"model{suffix}"
    path.write_text(write(GRAPH), encoding="utf-8")
    assert read_model(path) == GRAPH


@pytest.mark.parametrize("name", ["model.txt", "missing.yaml", "missing.json"])
def test_files_that_are_none_are_refused_with_their_path(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"at .*{name}|'.*{name}'"):
        read_model(tmp_path / name)


def test_problems_have_the_line_of_the_text():
    with pytest.raises(ConfigError) as raised:
        from_yaml("nodes:\n  a: {type: Dense, features: -3}\n  b: {type: Dens}\n", "m.yaml")
    places = [problem.place for problem in raised.value.problems]
    assert places == ["m.yaml:2:20 (model.nodes.a.features)", "m.yaml:3:7 (model.nodes.b.type)"]
    with pytest.raises(ConfigError) as raised:
        from_json('{"nodes": {"a": {"type": "Dense", "features": -3}}}', "m.json")
    assert [problem.place for problem in raised.value.problems] == ["m.json (model.nodes.a.features)"]


def test_json_and_yaml_hold_the_same_mapping():
    assert from_yaml(to_json(GRAPH)) == GRAPH


def deep(layers: int) -> Layer:
    layer: Layer = Dense(3)
    for _ in range(layers):
        layer = Residual(layer)
    return layer


@pytest.mark.parametrize("write", [to_yaml, to_json])
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Scale(2, window=None), "(?s)unknown layer 'Scale'.*write it as Python"),
        (Scale(2, window=object()), "unknown layer 'Scale'"),
        (deep(70), "nested over 64 deep"),
        (deep(3000), "nested too deep"),
        (Graph(("x",), (), ("x",)), "a graph needs nodes"),
        (Graph(("x",), (Node("a", Dense(2), ("x",)), Node("a", Dense(2), ("x",))), ("a",)), "holds what no text describes"),
        (Sequential((Dense(3),) * 8000), "over 20000 values"),
        (Slice(10**1000), "an integer of 1000 digits or more"),
        (graph_of({"n" * 2**20: Dense(2)}), "over 1048576 bytes"),
    ],
)
def test_what_cannot_be_read_back_is_not_written(write, model, words):
    with pytest.raises(ConfigError, match=words):
        write(model)


@pytest.mark.parametrize("write", [to_yaml, to_json, to_python, check])
def test_a_class_in_place_of_a_model_is_refused_in_words(write):
    with pytest.raises(ConfigError, match=r"Dense'> is no layer\n  fix: .* use its `model`"):
        write(Dense)


def test_what_is_no_text_is_refused_in_words():
    for read in (from_yaml, from_json):
        with pytest.raises(ConfigError, match="a text is needed, got a dict"):
            read({"type": "Flatten"})
