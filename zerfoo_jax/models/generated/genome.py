"""One architecture as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import BeforeValidator, Field

from zerfoo_jax.core.errors import ConfigError, Problem, brief
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, check_fields, check_options
from zerfoo_jax.core.spec import MemberOf
from zerfoo_jax.layers import ACTIVATIONS

Shape = Annotated[str, Field(pattern=r"^[1-9][0-9]?x[1-9][0-9]?$")]
"""Rows and columns of a grid, such as 2x3."""
CellKind = Literal["attention", "dense", "lstm", "norm_dense", "rnn", "swiglu"]
Combine = Literal["add", "average", "concat", "grid_scatter"]
ActivationName = Annotated[str, MemberOf(ACTIVATIONS, "activation")]

MAX_CELLS = 256


@dataclass(frozen=True)
class Genome:
    """One choice for everything that a `Space` leaves open.

    `shape` is the grid's, e.g. 2x3; `cells` lists what stands in it, row by row; `combine` makes one array of their outputs.
    All cells are `width` wide, attention has `num_heads` heads. Kernels start with standard deviation
    init_scale / √fan_in. The `learning_rate` is part of the choice, though the graph does not show it.
    Raises `ConfigError` where the cells do not fill the grid, and where the heads do not divide the width.

    >>> Genome("1x2", ("dense", "lstm"), "add", "tanh", 32, 4, 1e-3, 1.0).columns
    2
    """

    shape: Shape
    cells: Annotated[tuple[CellKind, ...], MinLen(1)]
    combine: Combine
    activation: ActivationName
    width: PositiveInt
    num_heads: PositiveInt
    learning_rate: PositiveFloat
    init_scale: PositiveFloat

    def __post_init__(self) -> None:
        check_fields(self)
        check_width(self.width, self.num_heads)
        if count_cells(self.shape) != len(self.cells):
            raise ConfigError(f"Genome.cells has {len(self.cells)} cells, a grid of {self.shape} has {count_cells(self.shape)}")

    @property
    def rows(self) -> int:
        """The grid's rows."""
        return size_of(self.shape)[0]

    @property
    def columns(self) -> int:
        """The grid's columns."""
        return size_of(self.shape)[1]

    def spec(self) -> dict[str, Any]:
        """The genome as a mapping, for YAML and JSON."""
        return {**asdict(self), "cells": list(self.cells)}


def size_of(shape: str) -> tuple[int, int]:
    """Rows and columns.

    >>> size_of("2x13")
    (2, 13)
    """
    rows, _, columns = shape.partition("x")
    return int(rows), int(columns)


def count_cells(shape: str) -> int:
    """The number of cells of a grid; `ConfigError` for too many."""
    rows, columns = size_of(shape)
    if rows * columns > MAX_CELLS:
        raise ConfigError(f"a grid of {shape} has over {MAX_CELLS} cells", place="shape", fix="make it smaller")
    return rows * columns


def check_width(width: int, num_heads: int) -> None:
    """Raises `ConfigError` unless a cell of this width may have so many heads: each is of an even width, for its rotation."""
    if width % (2 * num_heads):
        raise ConfigError(
            f"width = {width} does not divide into num_heads = {num_heads} heads of an even width",
            place="width",
            fix=f"use a multiple of {2 * num_heads}",
        )


def genome_from(given: Mapping[str, Any]) -> Genome:
    """The genome that a mapping describes; `ConfigError` with every problem, places being its keys."""
    checked, problems = check_options(Genome, given)
    if problems:
        raise ConfigError(problems)
    return Genome(**checked)


def _as_genome(given: Any) -> Genome:
    if isinstance(given, Genome):
        return given
    if not isinstance(given, Mapping):
        raise ValueError(f"should be a mapping, got {brief(given)}")
    try:
        return genome_from(given)
    except ConfigError as error:
        raise ValueError("; ".join(map(_in_brief, error.problems))) from error


def _in_brief(problem: Problem) -> str:
    return f"{problem.cause}; {problem.fix}" if problem.fix else problem.cause


GenomeSpec = Annotated[Genome, "genome", BeforeValidator(_as_genome)]
"""For annotations: a `Genome`, or the mapping of one."""
