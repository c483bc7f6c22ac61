"""Layers side by side on the same input, and the ways in which their outputs become one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Annotated, Any

import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_axes
from zerfoo_jax.core.spec import MemberOf, NamedOrMapping, bound
from zerfoo_jax.core.types import Array, Tree
from zerfoo_jax.layers.shapes.join import Concatenate

Cell = tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt]
"""Row, column and layer of a place in a grid."""


def add(outputs: Sequence[Array], *, pad: bool = False) -> Array:
    """Their sum; `pad` fills narrower ones up with zeros."""
    return reduce(jnp.add, aligned(outputs, pad))


def average(outputs: Sequence[Array], *, pad: bool = False) -> Array:
    """Their sum divided by their number; `pad` fills narrower ones up with zeros."""
    return add(outputs, pad=pad) / len(outputs)


def multiply(outputs: Sequence[Array]) -> Array:
    """Their product, number by number."""
    return reduce(jnp.multiply, aligned(outputs, pad=False))


def concat(outputs: Sequence[Array]) -> Array:
    """One after another along the last axis."""
    return Concatenate().forward({}, *outputs)


def grid_scatter(
    outputs: Sequence[Array], *, rows: PositiveInt, columns: PositiveInt, positions: tuple[Cell, ...], layers: PositiveInt = 1
) -> Array:
    """Each in its own cell of a grid, the cells one after another along the last axis: by row, then column, then layer.

    `positions` gives the (row, column, layer) of every branch. Cells without a branch take no room.

    >>> outputs = [jnp.array([1.0]), jnp.array([2.0, 2.0]), jnp.array([3.0])]
    >>> grid_scatter(outputs, rows=2, columns=2, positions=((1, 1, 0), (0, 0, 0), (0, 1, 0))).tolist()
    [2.0, 2.0, 3.0, 1.0]
    """
    order = sorted(range(len(outputs)), key=positions.__getitem__)
    return concat([outputs[i] for i in order])


def aligned(outputs: Sequence[Array], pad: bool) -> Sequence[Array]:
    """The outputs, with `pad` filled up to the widest with zeros; raises `ShapeError` unless their shapes are equal then."""
    padded = outputs
    if pad:
        for y in outputs:
            expect_axes(y, "features", least=True)
        width = max(y.shape[-1] for y in outputs)
        padded = [jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, width - y.shape[-1])]) for y in outputs]
    if len({y.shape for y in padded}) > 1:
        raise ShapeError(
            f"branches need outputs of equal shapes to be combined, got {', '.join(str(tuple(y.shape)) for y in outputs)}",
            fix="give them equal widths, use concat, or fill up with zeros with pad: true",
        )
    return padded


COMBINATIONS: dict[str, Callable[..., Array]] = {
    "add": add,
    "average": average,
    "concat": concat,
    "grid_scatter": grid_scatter,
    "multiply": multiply,
}


CombinationSpec = Annotated[NamedOrMapping, "combination", MemberOf(COMBINATIONS, "combination")]
"""A member of `COMBINATIONS`: its name, or `{name: add, pad: true}`."""


@dataclass(frozen=True)
class Parallel(Composite):
    """Runs every branch on the same inputs and combines their outputs by a member of `COMBINATIONS`.

    Children are named `branch_0`, `branch_1`, ... The sixth way, which LOOM calls filter, a gate that weighs the branches by
    the input, has parameters of its own: it is the layer `MixtureOfExperts`.
    Raises `ConfigError` without a branch, and for positions of `grid_scatter` that are not a cell of its own for each branch.

    >>> from zerfoo_jax.layers import Activation
    >>> Parallel((Activation("relu"), Activation("linear")), "average").apply({}, {}, jnp.array([-2.0, 4.0]))[0].tolist()
    [-1.0, 4.0]
    """

    branches: tuple[Layer, ...]
    combine: CombinationSpec = "concat"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.branches:
            raise ConfigError("Parallel.branches = () is empty", fix="name at least one layer")
        combination = self._combination()
        if combination.func is grid_scatter:
            _check_positions(len(self.branches), **combination.keywords)

    def children(self) -> Mapping[str, Layer]:
        return {f"branch_{i}": branch for i, branch in enumerate(self.branches)}

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        return self._combination()([call(name, *xs) for name in self.children()])

    def _combination(self) -> partial[Array]:
        return bound(COMBINATIONS, self.combine, "combination")


def _check_positions(branches: int, *, rows: int, columns: int, positions: tuple[Cell, ...], layers: int = 1) -> None:
    size = (rows, columns, layers)
    outside = [cell for cell in positions if any(place >= limit for place, limit in zip(cell, size, strict=True))]
    if outside:
        raise ConfigError(f"Parallel.combine: positions {outside} lie outside the grid {size}", fix="count cells from 0")
    if len(positions) != branches or len(set(positions)) != branches:
        raise ConfigError(
            f"Parallel.combine: positions = {positions} should name a cell of its own for each of {branches} branches",
            fix="give one (row, column, layer) per branch",
        )
