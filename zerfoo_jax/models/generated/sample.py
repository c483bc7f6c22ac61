"""A genome at random."""

from random import Random
from typing import Any

from zerfoo_jax.models.generated.genome import Genome, count_cells
from zerfoo_jax.models.generated.space import Space, Weighed, log_uniform


def sample(space: Space, seed: int) -> Genome:
    """The genome that a seed stands for: every gene drawn by itself with its weights, every cell too.

    >>> sample(Space(), 7) == sample(Space(), 7), sample(Space(), 7) == sample(Space(), 8)
    (True, False)
    """
    random = Random(seed)
    shape = draw(random, space.shape)
    return Genome(
        shape=shape,
        cells=tuple(draw(random, space.cell) for _ in range(count_cells(shape))),
        combine=draw(random, space.combine),
        activation=draw(random, space.activation),
        width=draw(random, space.width),
        num_heads=draw(random, space.num_heads),
        learning_rate=log_uniform(*space.learning_rate, random.random()),
        init_scale=draw(random, space.init_scale),
    )


def draw(random: Random, choices: Weighed) -> Any:
    """One of the choices, each as likely as its weight says."""
    values, weights = zip(*choices, strict=True)
    return random.choices(values, weights)[0]
