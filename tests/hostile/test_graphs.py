"""Models that are broken or made to do harm: readable errors with their place, in little time, and never a raw exception."""

import time
from typing import Any

import jax.numpy as jnp
import pytest

from zerfoo_jax.config.yaml import parse
from zerfoo_jax.core.errors import ConfigError, ShapeError, ZerfooError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, model_from_spec
from zerfoo_jax.layers import Dense, Flatten

X = Spec((2, 8), jnp.float32)
DENSE = "{type: Dense, features: 4}"

# The text of a model; then the places (below `model`) and words of the causes that must be reported, and no others.
MODELS: dict[str, tuple[str, dict[str, str]]] = {
    "circle": (
        "nodes: {a: {type: Dense, features: 4, inputs: b}, b: {type: Dense, features: 4, inputs: a}}",
        {".nodes.a": "circle: a -> b -> a"},
    ),
    "circle of one": ("nodes: {a: {type: Dense, features: 4, inputs: a}}", {".nodes.a": "circle: a -> a"}),
    "circle beside good nodes": (
        f"nodes: {{g: {DENSE}, a: {{type: Add, inputs: [g, b]}}, b: {{type: Flatten, inputs: a}}}}\noutputs: g",
        {".nodes.a": "circle"},
    ),
    "input that does not exist": (f"nodes: {{left: {DENSE}, b: {{type: Flatten, inputs: lfet}}}}", {".nodes.b": "'lfet'"}),
    "output that does not exist": (f"nodes: {{a: {DENSE}}}\noutputs: [b]", {"": "output 'b' does not exist"}),
    "node named as an input": (f"inputs: [a]\nnodes: {{a: {DENSE}}}", {".nodes.a": "used 2 times|circle"}),
    "input named twice": (
        f"inputs: [x, x]\nnodes: {{a: {DENSE}}}",
        {".inputs.x": "2 times", "": "2 inputs", ".nodes.a": "takes 1"},
    ),
    "two inputs to Dense": (
        "nodes: {a: {type: Dense, features: 4, inputs: [inputs, inputs]}}",
        {".nodes.a": "Dense takes 1 input, got 2"},
    ),
    "two inputs to Flatten": ("nodes: {a: {type: Flatten, inputs: [inputs, inputs]}}", {".nodes.a": "takes 1 input, got 2"}),
    "two inputs to Residual": (
        "nodes: {a: {type: Residual, inner: Flatten, inputs: [inputs, inputs]}}",
        {".nodes.a": "takes 1 input, got 2"},
    ),
    "two inputs to Stack": (
        "nodes: {a: {type: Stack, block: Flatten, num_layers: 2, inputs: [inputs, inputs]}}",
        {".nodes.a.block": "takes 1 input, got 2"},
    ),
    "two inputs inside Sequential": (
        f"nodes: {{a: {{type: Sequential, layers: [{DENSE}], inputs: [inputs, inputs]}}}}",
        {".nodes.a.layers[0]": "takes 1 input, got 2"},
    ),
    "no inputs": ("nodes: {a: {type: Dense, features: 4, inputs: []}}", {".nodes.a": "no inputs"}),
    "graph without inputs": (f"inputs: []\nnodes: {{a: {DENSE}}}", {".nodes.a": "no inputs", "": "takes 0 inputs"}),
    "graph of two inputs": (f"inputs: [x, y]\nnodes: {{a: {{type: Add, inputs: [x, y]}}, b: {DENSE}}}", {"": "takes 2 inputs"}),
    "no outputs": (f"nodes: {{a: {DENSE}}}\noutputs: []", {"": "no outputs"}),
    "several outputs into one layer": (
        f"nodes: {{a: {{type: Graph, nodes: {{p: {DENSE}, q: Flatten}}, outputs: [p, q]}}, b: {DENSE}}}",
        {".nodes.b": "takes arrays, got a tuple"},
    ),
    "shapes that do not add": (
        "nodes: {a: {type: Dense, features: 3}, s: {type: Add, inputs: [a, inputs]}}",
        {".nodes.s": "equal shapes, got"},
    ),
    "shapes that do not join": (
        "nodes: {a: {type: Dense, features: 3}, f: {type: LSTM, features: 3}}",
        {".nodes.f": "expected 3 axes"},
    ),
    "images wanted": ("{type: Conv2D, features: 2, kernel_size: 3}", {"": "4 axes"}),
    "tokens wanted": ("{type: Embedding, vocab_size: 5, features: 2}", {"": "integer input, got float32"}),
    "heads that do not divide": ("nodes: {a: {type: MultiHeadAttention, num_heads: 3}}", {".nodes.a": "axes|num_heads"}),
    "unknown layer": ("{type: Dens, features: 4}", {".type": "unknown layer 'Dens'"}),
    "unknown layer in a node": ("nodes: {a: Flaten}", {".nodes.a.type": "unknown layer 'Flaten'"}),
    "layer of the language": ("{type: __class__}", {".type": "unknown layer"}),
    "layer by its path": ("{type: os.system}", {".type": "unknown layer"}),
    "negative width": ("{type: Dense, features: -3}", {".features": "-3: should be greater than 0"}),
    "width as text": ("{type: Dense, features: '3'}", {".features": "valid integer"}),
    "width as truth": ("{type: Dense, features: true}", {".features": "valid integer"}),
    "width as float": ("{type: Dense, features: 3.0}", {".features": "valid integer"}),
    "width as list": ("{type: Dense, features: [3]}", {".features": "valid integer"}),
    "width as mapping": ("{type: Dense, features: {a: 3}}", {".features": "valid integer"}),
    "no width": ("{type: Dense, features: null}", {".features": "valid integer"}),
    "width missing": ("{type: Dense}", {"": "needs 'features'"}),
    "monstrous width": (f"{{type: Dense, features: {10**30}}}", {".features": "less than or equal"}),
    "misspelt option": ("{type: Dense, features: 3, use_bais: true}", {".use_bais": "no option 'use_bais'"}),
    "unknown activation": ("{type: Activation, function: relou}", {".function": "unknown activation"}),
    "unknown initializer": ("{type: Dense, features: 3, kernel_init: he}", {".kernel_init": "unknown initializer"}),
    "rate over one": ("{type: Dropout, rate: 1.5}", {".rate": "less than"}),
    "rate not a number": ("{type: Dropout, rate: .nan}", {".rate": "finite"}),
    "axis beyond the last": ("{type: Activation, function: {name: softmax, axis: 7}}", {"": "axis 7"}),
    "no nodes": ("nodes: {}", {".nodes": "needs nodes"}),
    "nodes null": ("nodes: null", {".nodes": "needs nodes"}),
    "nodes as list": (f"nodes: [{DENSE}]", {".nodes": "needs nodes"}),
    "nodes as text": ("nodes: a", {".nodes": "needs nodes"}),
    "node null": ("nodes: {a: null}", {".nodes.a": "got None"}),
    "node as number": ("nodes: {a: 3}", {".nodes.a": "got 3"}),
    "node as list": ("nodes: {a: [Flatten]}", {".nodes.a": "got \\['Flatten'\\]"}),
    "type null": ("nodes: {a: {type: null}}", {".nodes.a.type": "unknown layer None"}),
    "type as list": ("nodes: {a: {type: [Dense]}}", {".nodes.a.type": "unknown layer"}),
    "type as mapping": ("nodes: {a: {type: {Dense: 3}}}", {".nodes.a.type": "unknown layer"}),
    "type missing": ("nodes: {a: {features: 3}}", {".nodes.a": "needs a type"}),
    "inputs null": ("nodes: {a: {type: Dense, features: 3, inputs: null}}", {".nodes.a.inputs": "name or a list"}),
    "inputs as number": ("nodes: {a: {type: Flatten, inputs: 3}}", {".nodes.a.inputs": "name or a list"}),
    "inputs as mapping": ("nodes: {a: {type: Flatten, inputs: {x: 1}}}", {".nodes.a.inputs": "name or a list"}),
    "inputs of null": ("nodes: {a: {type: Flatten, inputs: [null]}}", {".nodes.a.inputs": "name or a list"}),
    "graph inputs null": (f"inputs: null\nnodes: {{a: {DENSE}}}", {".inputs": "name or a list"}),
    "outputs null": (f"outputs: null\nnodes: {{a: {DENSE}}}", {".outputs": "name or a list"}),
    "unknown key": (f"nods: 1\nnodes: {{a: {DENSE}}}", {".nods": "no key 'nods'"}),
    "layers as mapping": (f"{{type: Sequential, layers: {{a: {DENSE}}}}}", {".layers": "should be a list"}),
    "layers null": ("{type: Sequential, layers: null}", {".layers": "should be a list"}),
    "layers nested": ("{type: Sequential, layers: [[Flatten]]}", {".layers[0]": "a layer is"}),
    "name with a slash": (f"nodes: {{a/b: {DENSE}}}", {".nodes.a/b": "cannot name"}),
    "name of nothing": (f"nodes: {{'': {DENSE}}}", {"": "cannot name"}),
    "empty mapping": ("{}", {"": "needs a type"}),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_model_is_refused_with_its_place(name):
    text, expected = MODELS[name]
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        model_from_spec(parse(text).value, X)
    assert time.process_time() - start < 2
    problems = caught.value.problems
    assert {problem.place for problem in problems} == {f"model{place}" for place in expected}
    for place, words in expected.items():
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(" ; ".join(p.cause for p in problems if p.place == f"model{place}"))


@pytest.mark.parametrize("name", MODELS)
def test_a_broken_model_is_refused_or_left_alone_where_there_is_no_data(name):
    try:
        model_from_spec(parse(MODELS[name][0]).value)
    except ConfigError as error:
        assert all(problem.place.startswith("model") for problem in error.problems)


@pytest.mark.parametrize("spec", [None, 3, "", "nodes", [], [1], {"nodes": {1: "Flatten"}, 2: 3}, {5: 6}, {"type": b"Dense"}])
def test_a_model_that_is_no_mapping(spec: Any):
    with pytest.raises(ConfigError):
        model_from_spec(spec, X)


@pytest.mark.parametrize(
    "name", ["__class__", "__init__", "init", "a.b", "a[0]", " ", "\n", "日本", "x" * 10_000, "0", "params"]
)
def test_any_other_name_is_a_name(name, key):
    graph, walk = model_from_spec({"nodes": {name: {"type": "Dense", "features": 3}, "last": "Flatten"}}, X)
    assert walk.visits[-1].output.shape == (2, 3)
    params, state = graph.init(key, X)
    assert list(params) == [name]
    assert graph.apply(params, state, jnp.ones((2, 8)))[0].shape == (2, 3)


def timed(spec: Any, *specs: Spec) -> tuple[ZerfooError, float]:
    start = time.process_time()
    with pytest.raises(ZerfooError) as caught:
        model_from_spec(spec, *specs)
    return caught.value, time.process_time() - start


def test_too_many_nodes():
    error, seconds = timed({"nodes": {f"n{i}": "Flatten" for i in range(100_000)}}, X)
    assert "100000 nodes" in str(error)
    assert seconds < 2


def test_many_inputs_that_do_not_exist():
    error, seconds = timed({"nodes": {f"n{i}": {"type": "Flatten", "inputs": f"m{i}"} for i in range(2000)}}, X)
    assert len(error.problems) == 2000
    assert len(str(error)) < 60_000
    assert seconds < 2


def test_a_long_circle():
    error, seconds = timed({"nodes": {f"n{i}": {"type": "Flatten", "inputs": f"n{(i + 1) % 2000}"} for i in range(2000)}}, X)
    assert len(str(error)) < 1000
    assert seconds < 2


@pytest.mark.parametrize("key", ["inner", "layers", "nodes"])
def test_nested_too_deep(key):
    spec: Any = {"type": "Dense", "features": 8}
    for _ in range(3000):
        spec = {
            "inner": {"type": "Residual", "inner": spec},
            "layers": {"type": "Sequential", "layers": [spec]},
            "nodes": {"type": "Graph", "nodes": {"a": spec}},
        }[key]
    error, seconds = timed(spec, X)
    assert "too deep" in str(error)
    assert seconds < 2


def test_a_chain_of_a_thousand_nodes_is_checked_in_time():
    start = time.process_time()
    _, walk = model_from_spec({"nodes": {f"n{i}": {"type": "Dense", "features": 8} for i in range(1000)}}, X)
    assert time.process_time() - start < 5
    assert len(walk.visits) == 1001


def test_a_graph_from_python_is_checked_like_one_from_a_file():
    graph = Graph(("x",), (Node("a", Dense(3), ("y",)), Node("b", Flatten(), ("x", "x")), Node("b", Flatten(), ())), ("c",))
    with pytest.raises(ShapeError) as caught:
        check(graph, X)
    causes = [problem.cause for problem in caught.value.problems]
    assert sum("does not exist" in cause for cause in causes) == 2
    assert any("used 2 times" in cause for cause in causes)
    assert any("no inputs" in cause for cause in causes)


WRONG_FIELDS: list[Any] = [3, None, "a", {"a": 1}, [3], [("a", Dense(3), ("x",))]]


@pytest.mark.parametrize("nodes", WRONG_FIELDS)
def test_a_graph_from_python_with_wrong_fields(nodes):
    with pytest.raises(ConfigError, match=r"Graph\.nodes"):
        Graph(("x",), nodes, ("a",))


def test_a_node_from_python_with_wrong_fields():
    with pytest.raises(ConfigError) as caught:
        Node(3, "Dense", [None])  # type: ignore[arg-type]
    assert {problem.place for problem in caught.value.problems} == {"name", "layer", "inputs"}
