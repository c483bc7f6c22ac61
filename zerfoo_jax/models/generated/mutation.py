"""A genome with one gene changed."""

from dataclasses import replace
from random import Random
from typing import Any

from zerfoo_jax.models.generated.genome import Genome, size_of
from zerfoo_jax.models.generated.sample import draw
from zerfoo_jax.models.generated.space import SINGLE_GENES, Space, Weighed, log_uniform

REACH = 3.0
"""A changed learning rate is at most this many times the old one, or that part of it."""


def mutate(genome: Genome, space: Space, seed: int) -> Genome:
    """The genome with one gene drawn anew; each that the space leaves open is as likely. A genome of the space stays in it.

    Of the cells one becomes another kind. Another grid keeps the cells that both have, and draws the others. The learning rate
    moves by a factor of up to `REACH`. Where the space holds nothing else, the genome itself.

    >>> from zerfoo_jax.models.generated import sample
    >>> parent = sample(Space(), 0)
    >>> child = mutate(parent, Space(), 0)
    >>> [gene for gene, value in parent.spec().items() if child.spec()[gene] != value]
    ['learning_rate']
    """
    random = Random(seed)
    genes = _open_genes(space)
    gene = random.choice(genes) if genes else ""
    if gene == "shape":
        return _resized(random, genome, space, _other(random, space.shape, genome.shape))
    if gene == "cell":
        place = random.randrange(len(genome.cells))
        kind = _other(random, space.cell, genome.cells[place])
        return replace(genome, cells=(*genome.cells[:place], kind, *genome.cells[place + 1 :]))
    if gene == "learning_rate":
        low, high = space.learning_rate
        nearby = max(low, genome.learning_rate / REACH), min(high, genome.learning_rate * REACH)
        return replace(genome, learning_rate=log_uniform(*nearby, random.random()))
    return replace(genome, **{gene: _other(random, getattr(space, gene), getattr(genome, gene))}) if gene else genome


def _open_genes(space: Space) -> list[str]:
    genes = [gene for gene in (*SINGLE_GENES, "cell") if len(getattr(space, gene)) > 1]
    low, high = space.learning_rate
    return [*genes, "learning_rate"] if low < high else genes


def _other(random: Random, choices: Weighed, present: Any) -> Any:
    return draw(random, tuple(pair for pair in choices if pair[0] != present))


def _resized(random: Random, genome: Genome, space: Space, shape: str) -> Genome:
    rows, columns = size_of(shape)
    cells = tuple(
        genome.cells[row * genome.columns + column]
        if row < genome.rows and column < genome.columns
        else draw(random, space.cell)
        for row in range(rows)
        for column in range(columns)
    )
    return replace(genome, shape=shape, cells=cells)
