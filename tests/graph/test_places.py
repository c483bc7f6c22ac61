import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, model_from_spec
from zerfoo_jax.graph.places import config_path
from zerfoo_jax.layers import Activation, Dense, Frozen, Residual, Sequential, Stack

BLOCK = Sequential((Dense(3), Activation("relu"), Residual(Dense(3), Sequential((Dense(3),)))))
MODEL = Graph(("x",), (Node("a", BLOCK, ("x",)), Node("b", Stack(BLOCK, 2), ("a",)), Node("c", Frozen(BLOCK), ("b",))), ("c",))

CONV = {"type": "Conv2D", "features": 2, "kernel_size": 3}

PATHS = {
    "": "",
    "a": "nodes.a",
    "a/dense_0": "nodes.a.layers[0]",
    "a/residual_0/inner": "nodes.a.layers[2].inner",
    "a/residual_0/shortcut/dense_0": "nodes.a.layers[2].shortcut.layers[0]",
    "b/block[2]": "nodes.b.block",
    "b/block[2]/activation_0": "nodes.b.block.layers[1]",
    "c/layer/residual_0/inner": "nodes.c.layer.layers[2].inner",
    "nowhere": "nowhere",
    "a/nowhere/b": "nodes.a.nowhere/b",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_node_path_becomes_a_config_path(path):
    assert config_path(MODEL, path) == PATHS[path]


def test_problems_stand_at_their_config_path():
    layers = [
        {"type": "Graph", "nodes": {"n": {"type": "Residual", "inner": {"type": "Dense", "features": 5}}}},
        {"type": "Stack", "block": {"type": "Sequential", "layers": [CONV]}, "num_layers": 2},
    ]
    with pytest.raises(ConfigError) as caught:
        model_from_spec({"type": "Sequential", "layers": layers}, Spec((1, 4), "float32"), place="there")
    assert [problem.place for problem in caught.value.problems] == [
        "there.layers[0].nodes.n",
        "there.layers[1].block.layers[0]",
        "there.layers[1]",
    ]
