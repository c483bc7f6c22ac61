import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.spec import layer_from_spec, layer_to_spec
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import LAYERS, Dense, MultiHeadAttention, Parallel
from zerfoo_jax.layers.composites.parallel import grid_scatter

GRID = {"name": "grid_scatter", "rows": 2, "columns": 3, "layers": 2, "positions": ((1, 2, 1), (0, 2, 1), (0, 2, 0), (1, 0, 0))}


def padded(torch, ys):
    width = max(y.shape[-1] for y in ys)
    return [torch.nn.functional.pad(y, (0, width - y.shape[-1])) for y in ys]


COMBINED = [
    ("add", (3, 3, 3), lambda torch, ys: ys[0] + ys[1] + ys[2]),
    ("average", (3, 3), lambda torch, ys: torch.stack(ys).mean(0)),
    ("multiply", (3, 3, 3), lambda torch, ys: torch.stack(ys).prod(0)),
    ("concat", (3, 1, 2), lambda torch, ys: torch.cat(ys, -1)),
    (GRID, (3, 1, 2, 4), lambda torch, ys: torch.cat([ys[2], ys[1], ys[3], ys[0]], -1)),
    ({"name": "add", "pad": True}, (1, 4, 2), lambda torch, ys: sum(padded(torch, ys))),
    ({"name": "average", "pad": True}, (1, 4), lambda torch, ys: sum(padded(torch, ys)) / 2),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("combine", "widths", "oracle"), COMBINED)
def test_agrees_with_torch(torch, combine, widths, oracle):
    def branches(params, x):
        return oracle(torch, [x @ p["kernel"] + p["bias"] for _, p in sorted(params.items())])

    for seed, shape in enumerate([(2, 5), (1, 3, 4)]):
        against_torch(torch, Parallel(tuple(map(Dense, widths)), combine), branches, normal(seed, *shape), seed=seed)


def test_gradients_agree_with_finite_differences():
    against_finite_differences(Parallel((Dense(2), Dense(2)), "multiply"), normal(0, 2, 3))


def index_order(outputs, rows, columns, layers, positions):
    """LOOM's packing, in the order of index = r C L + c L + l."""
    cells = [[] for _ in range(rows * columns * layers)]
    for output, (r, c, k) in zip(outputs, positions, strict=True):
        cells[r * columns * layers + c * layers + k] = output
    return np.concatenate([cell for cell in cells if len(cell)])


@pytest.mark.parametrize("seed", range(3))
def test_a_grid_is_packed_in_the_order_of_its_index(seed):
    rng = np.random.default_rng(seed)
    flat = rng.choice(24, 7, replace=False)
    positions = tuple((int(i) // 6, int(i) // 2 % 3, int(i) % 2) for i in flat)
    outputs = [normal(i, int(rng.integers(1, 4))) for i in range(7)]
    y = grid_scatter(list(map(jnp.asarray, outputs)), rows=4, columns=3, layers=2, positions=positions)
    assert np.array_equal(y, index_order(outputs, 4, 3, 2, positions))


def test_every_branch_sees_every_input():
    layer = Parallel((MultiHeadAttention(2), MultiHeadAttention(1)), "add")
    assert check(layer, Spec((2, 3, 4), jnp.float32), Spec((2, 1, 1, 3), jnp.bool_)).shape == (2, 3, 4)


def test_is_written_as_a_mapping():
    spec = {"type": "Parallel", "branches": [{"type": "Dense", "features": 3}] * 4, "combine": GRID}
    layer = Parallel((Dense(3),) * 4, GRID)
    assert layer_from_spec(spec, LAYERS) == layer == layer_from_spec(layer_to_spec(layer), LAYERS)


@pytest.mark.parametrize(
    ("branches", "combine", "words"),
    [
        (0, "add", "empty"),
        (2, "sum", "unknown combination 'sum'"),
        (3, GRID, "a cell of its own for each of 3 branches"),
        (4, {**GRID, "rows": 1}, r"outside the grid \(1, 3, 2\)"),
        (2, {**GRID, "positions": ((0, 0, 0), (0, 0, 0))}, "a cell of its own"),
        (4, {**GRID, "positions": ((0, 0),) * 4}, "positions"),
        (2, {"name": "multiply", "pad": True}, "no option 'pad'"),
    ],
)
def test_bad_combinations_are_refused(branches, combine, words):
    with pytest.raises(ConfigError, match=words):
        Parallel((Dense(3),) * branches, combine)


@pytest.mark.parametrize("combine", ["add", "average", "multiply"])
def test_unequal_widths_are_refused_unless_padding_is_asked_for(combine):
    with pytest.raises(ShapeError, match=r"(?s)\(2, 3\), \(2, 4\).*pad: true"):
        check(Parallel((Dense(3), Dense(4)), combine), Spec((2, 5), jnp.float32))
