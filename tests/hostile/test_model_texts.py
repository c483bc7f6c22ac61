"""Model files and graphs that are broken or made to do harm: one readable error with its place, in little time."""

from collections.abc import Callable
import time
from typing import Any

import pytest

from zerfoo_jax.core.errors import ConfigError, GraphError, ShapeError, ZerfooError
from zerfoo_jax.core.layer import Layer, check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import (
    Graph,
    GraphBuilder,
    Input,
    Node,
    Shared,
    from_json,
    from_yaml,
    graph_of,
    to_json,
    to_python,
    to_yaml,
)
from zerfoo_jax.layers import Add, Dense, Flatten, Residual, Sequential

DENSE = "{type: Dense, features: 4}"
LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n" for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)

YAML: dict[str, tuple[str, str]] = {
    "a bomb of aliases": (LAUGHS + "nodes: *i\n", "over 20000 values"),
    "an alias of itself": ("nodes: &n {a: {type: Sequential, layers: [*n]}}", "nested over 64 deep|not plain YAML"),
    "a tag": ("nodes: !!python/object/apply:os.system [echo]", "tag .* is not allowed"),
    "a merge key": (f"nodes: {{<<: {{a: {DENSE}}}}}", "merge keys"),
    "a node twice": (f"nodes:\n  a: {DENSE}\n  a: {DENSE}", "'a' stands twice"),
    "an option twice": ("{type: Dense, features: 1, features: 2}", "'features' stands twice"),
    "a million nodes": ("nodes:\n" + "".join(f"  n{i}: Flatten\n" for i in range(1_000_000)), "over 1048576 bytes"),
    "nodes by the tens of thousands": ("nodes:\n" + "".join(f"  n{i}: Flatten\n" for i in range(30_000)), "over 20000 values"),
    "deep flow": ("[" * 5000, "nested over 64 deep"),
    "deep blocks": ("".join(f"{' ' * i}a:\n" for i in range(1000)), "nested over 64 deep"),
    "two documents": (f"nodes: {{a: {DENSE}}}\n---\nnodes: {{}}", "not plain YAML"),
    "a control character": ("nodes: {a\x00: Flatten}", "is not text"),
    "nothing": ("", "a layer is a name or a mapping"),
    "a layer shared in a circle": (
        "nodes: {a: {type: Shared, node: b, inputs: inputs}, b: {type: Shared, node: a, inputs: a}}",
        "no node 'b' has a layer to share",
    ),
    "a layer shared with itself": ("nodes: {a: {type: Shared, node: a}}", "no node 'a' has a layer to share"),
    "a layer shared out of its graph": (
        f"nodes: {{a: {DENSE}, b: {{type: Graph, nodes: {{c: {{type: Shared, node: a}}}}}}}}",
        "no node 'a' has a layer to share",
    ),
    "sharing outside a graph": ("{type: Sequential, layers: [{type: Shared, node: a}]}", "here is none"),
    "shared values in a circle": (
        "nodes: {a: {type: Dense, features: 4, inputs: b}, b: {type: Shared, node: a, inputs: a}}",
        "circle",
    ),
    "sharing between widths": (
        "inputs: {x: {shape: [null, 3]}}\nnodes: {a: {type: Dense, features: 4}, b: {type: Shared, node: a}}",
        "do not fit this input",
    ),
    "a shape that does not fit": (
        "inputs: {x: {shape: [null, 8, 8]}}\nnodes: {a: {type: Conv2D, features: 4, kernel_size: 3}}",
        "expected 4 axes",
    ),
    "a dtype that does not fit": (
        "inputs: {x: {shape: [null, 8], dtype: int32}}\nnodes: {a: {type: Dense, features: 4}}",
        "expected floating-point input, got int32",
    ),
    "dtypes that do not add": (
        "inputs: {x: {shape: [2]}, y: {shape: [2], dtype: int32}}\nnodes: {a: {type: Add, inputs: [x, y]}}",
        "one dtype, got float32, int32",
    ),
    "an inner declaration that does not fit": (
        "inputs: {x: {shape: [null, 8]}}\n"
        f"nodes: {{a: {{layer: {{type: Graph, inputs: {{y: {{shape: [null, 9]}}}}, nodes: {{b: {DENSE}}}}}, inputs: x}}}}",
        r"declared float32 \(any, 9\), got float32 \(1, 8\)",
    ),
    "a dtype of objects": ("inputs: {x: {shape: [2], dtype: O}}\nnodes: {a: Flatten}", "'O' is no dtype"),
    "a dtype of dates": ("inputs: {x: {shape: [2], dtype: 'M8[s]'}}\nnodes: {a: Flatten}", "is no dtype"),
    "a dtype of several": ("inputs: {x: {shape: [2], dtype: 'f4,f4'}}\nnodes: {a: Flatten}", "is no dtype"),
    "a monstrous shape": (f"inputs: {{x: {{shape: [null, {10**12}]}}}}\nnodes: {{a: Flatten}}", "less than or equal"),
    "an output of many that is not there": (
        "nodes: {a: {type: Split, parts: [1, 1]}, b: {type: Flatten, inputs: 'a:7'}}\ninputs: {x: {shape: [null, 2]}}",
        "'a:7' is no output of 'a', which has 2",
    ),
    "a number for an output that no number can be": (
        f"nodes: {{a: {DENSE}, b: {{type: Flatten, inputs: 'a:{'9' * 5000}'}}}}",
        "input 'a:9+' does not exist",
    ),
}


def refused(read: Callable[[], Any], words: str, kinds: tuple[type[ZerfooError], ...] = (ConfigError,)) -> ZerfooError:
    """The error of a call that has to be refused within two seconds, in few words."""
    start = time.process_time()
    with pytest.raises(kinds, match=words) as caught:
        read()
    assert time.process_time() - start < 2
    assert len(str(caught.value)) < 6000
    return caught.value


@pytest.mark.parametrize("name", YAML)
def test_hostile_yaml_is_refused_with_its_place(name):
    text, words = YAML[name]
    error = refused(lambda: from_yaml(text, "model.yaml"), words)
    assert all(problem.place.startswith("model.yaml") for problem in error.problems)


JSON: dict[str, tuple[str, str]] = {
    "deep layers": ('{"type": "Residual", "inner": ' * 3000 + '"Flatten"' + "}" * 3000, "nested over 64 deep"),
    "very deep lists": ("[" * 1_000_000, "nested over 64 deep"),
    "a million nodes": ('{"nodes": {' + ",".join(f'"n{i}": "Flatten"' for i in range(1_000_000)) + "}}", "over 1048576 bytes"),
    "a node twice": ('{"nodes": {"a": "Flatten", "a": "Flatten"}}', "'a' appears twice"),
    "not a number": ('{"type": "Dropout", "rate": NaN}', "NaN is not JSON"),
    "an infinity by its digits": ('{"type": "Dropout", "rate": 1e400}', "too large"),
    "a width of a thousand digits": (f'{{"type": "Dense", "features": {"9" * 999}}}', "less than or equal"),
    "a prototype": ('{"__proto__": {}, "type": "Dense", "features": 1}', "no option '__proto__'"),
    "a class of the language": ('{"type": "__class__"}', "unknown layer"),
}


@pytest.mark.parametrize("name", JSON)
def test_hostile_json_is_refused_with_its_place(name):
    text, words = JSON[name]
    error = refused(lambda: from_json(text, "model.json"), words)
    assert all(problem.place.startswith("model.json") for problem in error.problems)


FLATTEN = Node("a", Flatten(), ("x",))


def test_a_graph_of_a_million_nodes():
    nodes = (FLATTEN,) * 1_000_000
    refused(lambda: Graph(("x",), nodes, ("a",)), "1000000 nodes, over 10000")


def test_a_builder_of_too_many_nodes():
    def build() -> None:
        builder = GraphBuilder()
        handle = builder.input("x")
        for i in range(10_001):
            handle = builder.add(FLATTEN.layer, handle, name=str(i))

    refused(build, "over 10000 nodes", (GraphError,))


def nested(depth: int, wrap: Callable[[Layer], Layer]) -> Layer:
    layer: Layer = Dense(4)
    for _ in range(depth):
        layer = wrap(layer)
    return layer


@pytest.mark.parametrize("wrap", [Residual, lambda layer: Sequential((layer,)), lambda layer: graph_of({"a": layer})])
@pytest.mark.parametrize("write", [to_yaml, to_json, to_python])
def test_layers_nested_too_deep_are_not_written(wrap, write):
    layer = nested(400, wrap)
    refused(lambda: write(layer), "nested", (ConfigError,))


SPEC = Spec((2, 3), "float32")


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (Graph((Input("x", (None, 4)),), (Node("d", Dense(2), ("x",)),), ("d",)), r"declared float32 \(any, 4\), got float32"),
        (Graph((Input("x", (2, 3), "bfloat16"),), (Node("d", Dense(2), ("x",)),), ("d",)), "declared bfloat16"),
        (Graph(("x",), (Node("d", Shared("e"), ("x",)), Node("e", Shared("d"), ("d",))), ("e",)), "layer to share"),
        (Graph(("x",), (Node("d", Add(), ("x", "x:1")),), ("d",)), "'x:1' is no output of 'x'"),
        (Graph(("x", "y"), (FLATTEN,), ("a",)), r"takes 2 inputs \('x', 'y'\), got 1"),
    ],
)
def test_a_graph_from_python_that_does_not_fit(graph, words):
    refused(lambda: check(graph, SPEC), words, (GraphError, ShapeError))
