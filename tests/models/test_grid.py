import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.config.yaml import parse
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import check, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import model_from_spec, model_to_spec
from zerfoo_jax.layers import Activation, Dense, Dropout, Flatten, LayerNorm, MultiHeadAttention, Stack
from zerfoo_jax.models import model_from_config
from zerfoo_jax.models.grid import grid
from zerfoo_jax.optim import sgd
from zerfoo_jax.training import TrainState, make_train_step

ROW = Spec((1, 5), jnp.float32)


def dense(params, x):
    return x @ np.asarray(params["kernel"], np.float64) + np.asarray(params["bias"], np.float64)


def test_layers_stand_in_the_order_of_looms_flat_index():
    rows, columns, per_cell = 3, 2, 4
    layers = tuple(map(Dense, range(1, 25)))
    model = grid(rows=rows, columns=columns, layers=layers, layers_per_cell=per_cell)
    expected = {
        f"cell_{r}_{c}/layer_{k}": layers[r * (columns * per_cell) + c * per_cell + k]
        for r in range(rows)
        for c in range(columns)
        for k in range(per_cell)
    }
    assert {visit.path: visit.layer for visit in walk(model, ROW).visits if "/" in visit.path} == expected


def test_in_sequence_every_layer_feeds_the_next():
    model = grid(rows=2, columns=2, layers=tuple(map(Dense, range(2, 6))), head=(Dense(3),))
    params, state = model.init(jax.random.key(0), ROW)
    expected = x = np.random.default_rng(0).normal(size=(2, 5))
    for name in ("cell_0_0", "cell_0_1", "cell_1_0", "cell_1_1"):
        expected = dense(params[name]["layer_0"], expected)
    expected = dense(params["head_0"], expected)
    np.testing.assert_allclose(model.apply(params, state, jnp.float32(x))[0], expected, rtol=1e-5, atol=1e-6)


def test_in_parallel_the_cells_of_a_row_are_combined():
    model = grid(rows=2, columns=2, layers=(Dense(4),) * 4, order="parallel", combine="average")
    params, state = model.init(jax.random.key(0), ROW)
    expected = x = np.random.default_rng(0).normal(size=(2, 5))
    for row in ("row_0", "row_1"):
        expected = sum(dense(params[row][f"branch_{c}"]["layer_0"], expected) for c in range(2)) / 2
    np.testing.assert_allclose(model.apply(params, state, jnp.float32(x))[0], expected, rtol=1e-5, atol=1e-6)


def test_rows_may_combine_in_any_way():
    places = {"name": "grid_scatter", "rows": 1, "columns": 2, "positions": [[0, 1, 0], [0, 0, 0]]}
    widths = {"concat": 6, "add": 3, "multiply": 3, "average": 3}
    for combine, width in widths.items():
        model = grid(rows=2, columns=2, cell=(Dense(3),), order="parallel", combine=combine)
        assert check(model, ROW).shape == (1, width)
    assert check(grid(rows=1, columns=2, cell=(Dense(3),), order="parallel", combine=places), ROW).shape == (1, 6)


def test_a_cell_for_all_is_that_cell_listed_for_each():
    cell = (Dense(4), Activation("tanh"))
    assert grid(rows=2, columns=3, cell=cell) == grid(rows=2, columns=3, layers=cell * 6)


def test_stacked_cells_compute_what_the_same_cells_do_apart():
    cell = (Dense(4), Activation("tanh"))
    apart, stacked = (grid(rows=2, columns=3, cell=cell, stack=stack) for stack in (False, True))
    params, _ = stacked.init(jax.random.key(0), ROW)
    names = [f"cell_{r}_{c}" for r in range(2) for c in range(3)]
    unstacked = {n: jax.tree.map(lambda x, i=i: np.asarray(x)[i], params["cell_0_1_to_1_2"]) for i, n in enumerate(names[1:])}
    x = jax.random.normal(jax.random.key(1), (3, 5))
    expected, _ = apart.apply({"cell_0_0": params["cell_0_0"], **unstacked}, {}, x)
    np.testing.assert_allclose(stacked.apply(params, {}, x)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("widths", "names"),
    [
        ((4, 4, 4, 4), ["cell_0_0", "cell_0_1_to_1_1"]),
        ((4, 4, 4, 5), ["cell_0_0", "cell_0_1_to_1_0", "cell_1_1"]),
        ((4, 4, 5, 5), ["cell_0_0", "cell_0_1", "cell_1_0", "cell_1_1"]),
        ((4, 5, 4, 5), ["cell_0_0", "cell_0_1", "cell_1_0", "cell_1_1"]),
    ],
)
def test_only_runs_of_equal_cells_are_stacked(widths, names):
    model = grid(rows=2, columns=2, layers=tuple(map(Dense, widths)), stack=True)
    assert [node.name for node in model.nodes] == names
    assert check(model, ROW) == check(grid(rows=2, columns=2, layers=tuple(map(Dense, widths))), ROW)


def test_equal_rows_are_stacked_too():
    model = grid(rows=5, columns=2, cell=(Dense(4),), order="parallel", combine="add", stack=True)
    assert [node.name for node in model.nodes] == ["row_0", "row_1_to_4"]
    assert isinstance(model.nodes[1].layer, Stack) and check(model, ROW).shape == (1, 4)


def test_cells_that_change_the_shape_every_time_are_not_stacked_silently():
    doubling = grid(rows=1, columns=2, cell=(Dense(3),), order="parallel").nodes[0].layer
    assert check(grid(rows=1, columns=4, layers=(doubling,) * 4, stack=True), ROW).shape == (1, 6)
    pooling = {"type": "MaxPool1D", "window": 2}
    config = {"name": "grid", "rows": 2, "columns": 2, "cell": [pooling], "stack": True}
    with pytest.raises(ConfigError, match="output has its input's shape") as raised:
        model_from_config(config, Spec((1, 64, 3), jnp.float32))
    assert raised.value.problems[0].place == "model/cell_0_1_to_1_1"
    assert model_from_config({**config, "stack": False}, Spec((1, 64, 3), jnp.float32))[1].visits[-1].output.shape == (1, 4, 3)


def test_a_grid_of_mixed_layers_learns_in_one_step():
    cells = (MultiHeadAttention(2), Dropout(0.5), Dense(8), Activation("relu"))
    model, optimizer = grid(rows=1, columns=2, layers=cells, head=(Flatten(), Dense(1))), sgd(1e-3)
    x = jnp.ones((2, 4, 8))
    state = TrainState.create(model, optimizer, jax.random.key(0), Spec(x.shape, x.dtype))
    step = make_train_step(model, lambda y, targets: (y[:, 0] - targets) ** 2, optimizer)
    after, values = step(state, {"inputs": x, "targets": jnp.zeros(2)})
    assert jnp.isfinite(values["loss"]) and int(after.step) == 1


YAML = """
name: grid
rows: 1
columns: 2
layers:
  - Flatten
  - {type: Sequential, layers: [{type: Dense, features: 7}, {type: Activation, function: relu}]}
head: [{type: Dense, features: 3}]
"""


def test_a_yaml_section_says_any_layer_at_any_place_and_comes_back_as_a_graph():
    model, result = model_from_config(parse(YAML).value, Spec((2, 2, 2), jnp.float32))
    assert result.visits[-1].output.shape == (2, 3)
    assert model_from_spec(model_to_spec(model))[0] == model


def test_problems_name_row_column_and_layer():
    layers = [{"type": "Dense", "features": 3}, "Flatten", {"type": "MultiHeadAttention", "num_heads": 2}, "Flatten"]
    with pytest.raises(ConfigError) as raised:
        model_from_config({"name": "grid", "rows": 2, "columns": 1, "layers": layers}, ROW)
    assert [problem.place for problem in raised.value.problems] == ["model/cell_1_0/layer_0"]


def test_every_layer_that_cannot_be_read_is_named_with_its_place():
    layers = [{"type": "Dens", "features": 3}, {"type": "Dense", "features": -1}, 5, "Flatten"]
    with pytest.raises(ConfigError) as raised:
        model_from_config({"name": "grid", "rows": 2, "columns": 2, "layers": layers, "stack": 1}, ROW)
    assert [p.place for p in raised.value.problems] == [
        "model.layers[0].type",
        "model.layers[1].features",
        "model.layers[2]",
        "model.stack",
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layers": [], "cell": []}, "takes layers or cell, got neither"),
        ({"layers": ["Flatten"], "cell": ["Flatten"]}, "takes layers or cell, got both"),
        ({"layers": ["Flatten"] * 5}, "grid.layers has 5 layers, 2 x 2 cells of 1 take 4"),
        ({"layers": ["Flatten"] * 4, "layers_per_cell": 2}, "grid.layers has 4 layers, 2 x 2 cells of 2 take 8"),
        ({"layers": ["Flatten"]}, "grid.layers has 1 layers, 2 x 2 cells of 1 take 4"),
        ({"cell": ["Flatten"] * 2, "layers_per_cell": 3}, "grid.cell has 2 layers, layers_per_cell = 3"),
        ({"cell": ["Flatten"], "rows": 2**31 - 1, "columns": 2**31 - 1}, "is over 10000"),
        ({"layers": "Flatten"}, "grid.layers = 'Flatten': should be a list"),
        ({"cell": {"type": "Flatten"}}, "should be a list"),
        ({"cell": ["Flatten"], "order": "parallel", "combine": "filter"}, "unknown combination 'filter'"),
        ({"cell": ["Flatten"], "rows": 0}, "should be greater than 0"),
        ({}, "got neither"),
    ],
)
def test_what_cannot_be_a_grid_is_refused(options, text):
    with pytest.raises(ConfigError, match=text):
        model_from_config({"name": "grid", "rows": 2, "columns": 2, **options}, None)


def test_a_grid_of_1000_layers_is_checked_whole():
    model = grid(rows=10, columns=25, layers=(Dense(8), LayerNorm(), Activation("relu"), Dense(8)) * 250)
    result = walk(model, ROW)
    assert not result.problems and len(result.visits) == 1000 + 250 + 1
