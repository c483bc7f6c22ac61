"""A genome from two."""

from dataclasses import fields, replace
from random import Random

from zerfoo_jax.models.generated.genome import Genome


def crossover(first: Genome, second: Genome, seed: int) -> Genome:
    """A child that has every gene from one of its parents, each as likely. Children of a space's genomes lie in that space.

    The grid is one parent's; a cell comes from either parent that has a cell at its row and column.

    >>> from zerfoo_jax.models.generated import Space, sample
    >>> mother, father = sample(Space(), 1), sample(Space(), 2)
    >>> crossover(mother, father, 0).width in (mother.width, father.width)
    True
    """
    random = Random(seed)
    single = [field.name for field in fields(Genome) if field.name not in ("shape", "cells")]
    genes = {gene: getattr(random.choice((first, second)), gene) for gene in single}
    grid = random.choice((first, second))
    cells = (_cell(random, first, second, row, column) for row in range(grid.rows) for column in range(grid.columns))
    return replace(grid, cells=tuple(cells), **genes)


def _cell(random: Random, first: Genome, second: Genome, row: int, column: int) -> str:
    parents = [parent for parent in (first, second) if row < parent.rows and column < parent.columns]
    parent = random.choice(parents)
    return parent.cells[row * parent.columns + column]
