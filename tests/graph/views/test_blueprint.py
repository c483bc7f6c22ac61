"""Blueprints: every layer once, with its shapes and all of its parameters."""

import json
import math

import jax
import jax.numpy as jnp
import pytest

from tests.common.test_layers import EXAMPLES
import zerfoo_jax as zf
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec, spec_of
from zerfoo_jax.graph import Shared, graph_of
import zerfoo_jax.layers as L
from zerfoo_jax.models import grid

KEYS = {
    *("path", "grid_row", "grid_col", "cell_layer", "type", "activation", "parameters"),
    *("input_shape", "output_shape", "branches", "combine_mode"),
}


def plan_of(model, *specs):
    (plan,) = json.loads(json.dumps(zf.blueprint(model, *specs, id="m")))["models"]
    assert plan["id"] == "m" and plan["total_layers"] == len(plan["layers"])
    return plan


def test_the_parameters_of_every_layer_are_counted():
    for name, (layer, xs) in EXAMPLES.items():
        if name in ("Frozen", "LoRA", "Quantized"):  # which keep numbers in their state
            continue
        specs = [Spec(x.shape, jax.dtypes.canonicalize_dtype(x.dtype)) for x in xs]
        params, _ = jax.eval_shape(lambda layer=layer, specs=specs: layer.init(jax.random.key(0), *specs))
        plan = plan_of(layer, *specs)
        assert plan["total_parameters"] == sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)), name
        assert all(set(entry) == KEYS for entry in plan["layers"])


def test_what_rests_counts_too():
    x = Spec((2, 4), jnp.float32)
    assert plan_of(L.Frozen(L.Dense(3)), x)["total_parameters"] == 15
    assert plan_of(L.Quantized(L.Dense(3)), x)["total_parameters"] == 15
    plan = plan_of(L.Sequential((L.LoRA(L.Dense(3), 2, 4.0), L.Dense(2))), x)
    assert [(entry["path"], entry["parameters"]) for entry in plan["layers"]] == [
        ("lo_ra_0", 4 * 2 + 2 * 3),
        ("lo_ra_0/layer", 15),
        ("dense_0", 8),
    ]


def test_branches_stacks_and_shared_layers():
    branches = (L.Sequential((L.Dense(4), L.Activation("tanh"))), L.Dense(4, use_bias=False))
    model = graph_of(
        {
            "both": L.Parallel(branches, "add"),
            "experts": L.MixtureOfExperts((L.Dense(4), L.Dense(4))),
            "blocks": L.Stack(L.Residual(L.Sequential((L.LayerNorm(), L.Dense(4)))), 5),
            "first": L.Dense(4),
            "again": (Shared("first"), "first"),
            "mixed": L.FeedForward(7, {"name": "leaky_relu"}),
        }
    )
    plan = plan_of(model, Spec((2, 4), jnp.float32))
    both, experts, norm, dense, first, again, *feed_forward = plan["layers"]
    assert (both["combine_mode"], both["parameters"]) == ("add", 20 + 16)
    assert [(entry["path"], entry["type"], entry["activation"], entry["parameters"]) for entry in both["branches"]] == [
        ("both/branch_0/dense_0", "Dense", "", 20),
        ("both/branch_0/activation_0", "Activation", "tanh", 0),
        ("both/branch_1", "Dense", "", 16),
    ]
    assert (experts["combine_mode"], experts["parameters"], len(experts["branches"])) == ("filter", 2 * 20 + 10, 3)
    assert (norm["path"], norm["parameters"], dense["parameters"]) == ("blocks/block[5]/inner/layer_norm_0", 5 * 8, 5 * 20)
    assert (first["parameters"], again["parameters"], again["type"]) == (20, 0, "Dense")
    assert sum(entry["parameters"] for entry in feed_forward) == 4 * 7 + 7 + 7 * 4 + 4
    assert [entry["cell_layer"] for entry in plan["layers"]] == list(range(plan["total_layers"]))
    assert both["input_shape"] == both["output_shape"] == [2, 4]


@pytest.mark.parametrize(
    ("order", "cells"),
    [
        ("sequence", [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]),
        ("parallel", [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]),
    ],
)
def test_the_cells_of_a_grid(order, cells):
    model = grid(rows=2, columns=2, cell=(L.Dense(3), L.Activation("relu")), order=order)
    plan = plan_of(model, Spec((1, 3), jnp.float32))
    layers = plan["layers"][0]["branches"] if order == "parallel" else plan["layers"]
    assert [(entry["grid_row"], entry["grid_col"], entry["cell_layer"]) for entry in layers] == cells
    if order == "parallel":
        assert [(entry["grid_row"], entry["combine_mode"]) for entry in plan["layers"]] == [(0, "concat"), (1, "concat")]


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError):
        zf.blueprint(L.Sequential((L.Flatten(), L.Conv2D(3, 3))), spec_of(jnp.zeros((1, 4, 4, 1))))
