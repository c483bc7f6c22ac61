"""LOOM's network: layers in cells, cells in a grid."""

from itertools import groupby
from operator import itemgetter
from typing import Literal

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.graph.spec import MAX_NODES
from zerfoo_jax.layers import Parallel, Stack
from zerfoo_jax.layers.composites.parallel import CombinationSpec

Block = tuple[str, Layer]
"""A part of the grid with its name; the parts run one after another."""


@checked
def grid(
    *,
    rows: PositiveInt,
    columns: PositiveInt,
    layers: tuple[Layer, ...] = (),
    cell: tuple[Layer, ...] = (),
    layers_per_cell: PositiveInt | None = None,
    order: Literal["sequence", "parallel"] = "sequence",
    combine: CombinationSpec = "concat",
    stack: bool = False,
    head: tuple[Layer, ...] = (),
) -> Graph:
    """A grid of rows · columns cells of layers, and the `head` layers behind it.

    The layers of a cell run one after another. Either `layers` lists those of all cells in LOOM's order: layer l of the cell
    in row r and column c stands at (r · columns + c) · layers_per_cell + l; or `cell` lists those that every cell has. In
    `order` sequence the cells run one after another, row by row. In parallel those of a row run side by side on the same
    input, a member of `COMBINATIONS` makes one array of their outputs, and that is the next row's input.

    Parameters: `cell_<row>_<column>`, in parallel `row_<row>` / `branch_<column>`; in each `layer_<layer>`, with that layer's
    parameters; `head_<layer>`. Layers without parameters have no entry.

    `stack` runs equal cells in sequence (in parallel: equal rows) as one `Stack`, which compiles once for all of them:
    the first of each run of three and more stays by itself, as it may change the shape, and the others are stacked, called
    e.g. `cell_0_1_to_2_3`. Nothing is guessed of what they do: if an equal cell does not keep the shape that the first one
    made, the check of the model says so at that name. Stacked cells start with other random values than the same cells apart.

    Raises `ConfigError` for both or neither of `layers` and `cell`, and for a number of layers that does not fill the grid.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> from zerfoo_jax.layers import Activation, Dense
    >>> model = grid(rows=2, columns=3, cell=(Dense(8), Activation("relu")), stack=True, head=(Dense(10),))
    >>> [node.name for node in model.nodes]
    ['cell_0_0', 'cell_0_1_to_1_2', 'head_0']
    >>> check(model, Spec((1, 4), "float32")).shape
    (1, 10)
    """
    cells = _cells(rows, columns, layers, cell, layers_per_cell)
    if order == "sequence":
        blocks: list[Block] = [(f"cell_{i // columns}_{i % columns}", cells[i]) for i in range(len(cells))]
    else:
        starts = range(0, len(cells), columns)
        blocks = [(f"row_{i // columns}", Parallel(tuple(cells[i : i + columns]), combine)) for i in starts]
    nodes = _stacked(blocks) if stack else dict(blocks)
    return graph_of({**nodes, **{f"head_{i}": layer for i, layer in enumerate(head)}})


def _cells(
    rows: int, columns: int, layers: tuple[Layer, ...], cell: tuple[Layer, ...], layers_per_cell: int | None
) -> list[Layer]:
    count = rows * columns
    if bool(layers) == bool(cell):
        given = "both" if layers else "neither"
        raise ConfigError(f"grid takes layers or cell, got {given}", fix="list all layers, or those of one cell for all")
    size = layers_per_cell or len(cell) or max(1, len(layers) // count)
    if count * size > MAX_NODES:
        raise ConfigError(f"a grid of {rows} x {columns} x {size} layers is over {MAX_NODES}", place="rows")
    if cell and size != len(cell):
        raise ConfigError(f"grid.cell has {len(cell)} layers, layers_per_cell = {size}", place="cell", fix="give one of both")
    if cell:
        return [_chain(cell)] * count
    if len(layers) != count * size:
        raise ConfigError(
            f"grid.layers has {len(layers)} layers, {rows} x {columns} cells of {size} take {count * size}",
            place="layers",
            fix="list them by row, then column, then layer",
        )
    return [_chain(layers[i : i + size]) for i in range(0, len(layers), size)]


def _chain(layers: tuple[Layer, ...]) -> Graph:
    return graph_of({f"layer_{i}": layer for i, layer in enumerate(layers)})


def _stacked(blocks: list[Block]) -> dict[str, Layer]:
    nodes: dict[str, Layer] = {}
    for layer, run in groupby(blocks, key=itemgetter(1)):
        first, *rest = (name for name, _ in run)
        nodes[first] = layer
        if len(rest) > 1:
            nodes[f"{rest[0]}_to_{rest[-1].partition('_')[2]}"] = Stack(layer, len(rest))
        else:
            nodes.update((name, layer) for name in rest)
    return nodes
