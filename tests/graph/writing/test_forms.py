"""One model, five ways of writing it: graph, builder, class, YAML and JSON give equal models; generated source is clean."""

from collections.abc import Callable
import importlib.util
from pathlib import Path
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES as LAYERS
from tests.graph.writing.codegen.test_module import TUPLE_OF_ONE
from tests.models.test_models import EXAMPLES as ARCHITECTURES
from tests.support.random_graphs import random_graph
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, GraphBuilder, Input, Node, Shared, from_json, from_yaml, to_json, to_python, to_yaml
from zerfoo_jax.layers import Split
from zerfoo_jax.models import model_from_config

GRAPHS = 500
CHECKED = 8
"""Random graphs that the default suite reads back from each kind of text, which checks their shapes as well."""
ROOT = Path(__file__).parents[3]


def through_builder(model: Layer) -> Layer:
    return GraphBuilder.of(model).graph(model.outputs) if isinstance(model, Graph) else model


def through_python(model: Layer) -> Layer:
    return load(to_python(model))


def load(source: str) -> Layer:
    """The model in the source of a module."""
    spec = importlib.util.spec_from_loader("generated", loader=None)
    assert spec
    module = importlib.util.module_from_spec(spec)
    exec(compile(source, "generated.py", "exec"), vars(module))
    return module.Model.model


FORMS: dict[str, Callable[[Layer], Layer]] = {
    "builder": through_builder,
    "python": through_python,
    "yaml": lambda model: from_yaml(to_yaml(model)),
    "json": lambda model: from_json(to_json(model)),
}


def full_size(name: str) -> Layer | None:
    """An architecture with its defaults; None where it has no sizes of its own."""
    try:
        return model_from_config({"name": name}, None)[0]
    except ConfigError:
        return None


@pytest.fixture(scope="module")
def models() -> dict[str, Layer]:
    """Every architecture, small and in full size, and every layer by itself."""
    small = {name: model_from_config({"name": name, **options}, None)[0] for name, (options, *_) in ARCHITECTURES.items()}
    full = {f"{name}_full": model for name in ARCHITECTURES if (model := full_size(name))}
    return {**small, **full, **{f"layer_{name}": layer for name, (layer, _) in LAYERS.items()}}


@pytest.mark.parametrize("form", ["builder", "python"])
def test_every_architecture_and_layer_comes_back_equal_from_code(models, form):
    for name, model in models.items():
        assert FORMS[form](model) == model, name


@pytest.mark.parametrize(("form", "first"), [("yaml", 0), ("json", 1)])
def test_architectures_and_layers_come_back_equal_from_text(models, form, first):
    for name in sorted(name for name in models if not name.endswith("_full"))[first::2]:
        assert FORMS[form](models[name]) == models[name], name


@pytest.mark.slow
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_every_architecture_and_layer_comes_back_equal_from_text(models, form):
    for name, model in models.items():
        assert FORMS[form](model) == model, name


@pytest.mark.parametrize("form", ["builder", "python"])
def test_random_graphs_come_back_equal_from_code(form):
    for seed in range(GRAPHS):
        graph = random_graph(seed)
        assert FORMS[form](graph) == graph, seed


@pytest.mark.parametrize(("form", "first"), [("yaml", 0), ("json", CHECKED)])
def test_random_graphs_come_back_equal_from_text(form, first):
    for seed in range(first, first + CHECKED):
        graph = random_graph(seed)
        assert FORMS[form](graph) == graph, seed


@pytest.mark.slow
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_every_random_graph_comes_back_equal_from_text(form):
    for seed in range(GRAPHS):
        graph = random_graph(seed)
        assert FORMS[form](graph) == graph, seed


def declared(graph: Graph) -> tuple[Spec, ...]:
    return tuple(one.spec(2) for one in graph.declared() if one.shape is not None)


def test_random_graphs_hold_what_they_are_meant_to():
    graphs = [random_graph(seed) for seed in range(GRAPHS)]
    nodes = [node for graph in graphs for node in graph.nodes]
    kinds = {type(node.layer).__name__ for node in nodes}
    assert {"Shared", "Graph", "Split", "Add", "Sequential", "Stack", "Embedding", "Conv2D", "LSTM"} <= kinds and len(
        kinds
    ) > 20
    assert sum(":" in wire for node in nodes for wire in node.inputs) > 100
    assert sum(len(graph.inputs) > 1 for graph in graphs) > 100 and sum(len(graph.outputs) > 1 for graph in graphs) > 100
    assert sum(not name.isidentifier() for graph in graphs for name in graph.children()) > 100


def test_equal_graphs_give_equal_outputs():
    graph = next(graph for graph in map(random_graph, range(GRAPHS)) if len(graph.nodes) > 9 and len(declared(graph)) == 3)
    specs, rng = declared(graph), np.random.default_rng(0)
    xs = [
        (rng.standard_normal(s.shape) if s.dtype == np.float32 else rng.integers(0, 9, s.shape)).astype(s.dtype) for s in specs
    ]
    twins = [graph, *(through(graph) for through in FORMS.values())]

    @jax.jit
    def run(key):
        return [twin.apply(*twin.init(key, *specs), *xs)[0] for twin in twins]

    first, *others = run(jax.random.key(0))
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, first, other)


HANDWRITTEN = '''"""A class as a person writes it, for the type checker."""

import jax
from zerfoo_jax.graph import Declared, GraphBuilder, declare, node
from zerfoo_jax.layers import Activation, Add, Dense, Split, TiedEmbedding


class Inner(Declared):
    x = declare((None, 4))
    hidden = node(Dense(4), x)
    again = node(hidden, hidden)
    halves = node(Split(2), again)
    second = halves[1]
    outputs = second, halves[0]


class Whole(Declared):
    x = declare(name="0")
    inner = node(Inner.model, x)
    merged = node(Add(), inner[0], inner[1])
    outputs = merged


class Tied(Declared):
    model = TiedEmbedding(7, 4, Dense(4))


def use() -> None:
    spec = jax.ShapeDtypeStruct((1, 4), "float32")
    params, state = Whole.model.init(jax.random.key(0), spec)
    builder = GraphBuilder(jax.random.key(0))
    x = builder.input("x", (None, 4), value=jax.numpy.ones((2, 4)))
    first = builder.add(Dense(4), x)
    built = builder.build([builder.add(first, first, name="again"), x])
    bound = built.bind(builder.params, builder.state)
    outputs = bound.forward(x.value)
    (x_gradient,), gradients = bound.backward(outputs, (x.value,))
    builder.add(Activation("relu"), first[0])
    print(params, state, x_gradient, gradients, Tied.model)
'''


INSIDE = Graph((Input("w" * 99, (None, 4)),), (Node("Inner" * 30, Split(2), ("w" * 99,)),), ("Inner" * 30 + ":0",))
LONG_NAMES = Graph(
    ("long " * 30,),
    (Node("part_" * 20, INSIDE, ("long " * 30,)), Node("part_" * 40, Shared("part_" * 20), ("long " * 30,))),
    ("part_" * 20, "part_" * 40),
)


def test_long_names_come_back_equal():
    assert all(through(LONG_NAMES) == LONG_NAMES for through in FORMS.values())


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory) -> Path:
    """Generated modules, and one that is written by hand."""
    folder = tmp_path_factory.mktemp("generated")
    graphs = {f"random_{seed}": random_graph(seed) for seed in range(40)}
    for name, model in {**models, **graphs, "tuple_of_one": TUPLE_OF_ONE, "long_names": LONG_NAMES}.items():
        (folder / f"{name.lower()}.py").write_text(to_python(model), encoding="utf-8")
    (folder / "handwritten.py").write_text(HANDWRITTEN)
    (folder / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{ROOT}"], "pythonVersion": "3.11"}}')
    return folder


def tool(name: str, *arguments: str, folder: Path) -> None:
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    done = subprocess.run([path, *arguments, "."], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.parametrize(
    "arguments",
    [
        ("format", "--check", "--line-length", "88"),
        ("format", "--check", "--line-length", "128"),
        ("check", "--select", "E,F,I,UP,B,N"),
        ("check", "--select", "I", "--line-length", "128", "--config", "lint.isort.force-sort-within-sections=true"),
    ],
    ids=["format 88", "format 128", "rules", "sorted within sections"],
)
def test_generated_source_is_clean(folder, arguments):
    tool("ruff", *arguments, "--isolated", "--no-cache", folder=folder)


def test_generated_and_handwritten_classes_pass_the_type_checker(folder):
    tool("pyright", "--pythonpath", sys.executable, folder=folder)
