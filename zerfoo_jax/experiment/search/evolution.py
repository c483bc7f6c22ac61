"""Which genome to try next: random ones first, then regularised evolution (Real et al., arXiv 1802.01548)."""

from collections.abc import Sequence
from random import Random

from zerfoo_jax.experiment.schema import SearchSection
from zerfoo_jax.experiment.search.trial import Trial
from zerfoo_jax.models.generated import Genome, Space, crossover, mutate, sample

ATTEMPTS = 20
"""So often another genome is made where it has been tried before; a small space may hold no other."""


def propose(space: Space, section: SearchSection, seed: int, number: int, before: Sequence[Trial], mode: str) -> Genome:
    """The genome of trial `number`: a function of the seed and of the trials before it alone, and not yet tried.

    The first `population` trials are random. Later ones have parents among the last `population` trials, however good older
    ones were: the best of `tournament` drawn ones is mutated, and with probability `crossover` crossed with the best of another
    draw before. Trials without a score have no children.
    """
    parents = before[-section.population :] if number >= section.population else ()
    alive = [trial for trial in parents if trial.score is not None]
    tried = {trial.genome for trial in before}
    made = [_make(space, section, Random(f"{seed}/{number}/{i}"), alive, mode) for i in range(ATTEMPTS)]
    return next((genome for genome in made if genome not in tried), made[0])


def _make(space: Space, section: SearchSection, random: Random, alive: Sequence[Trial], mode: str) -> Genome:
    seeds = [random.getrandbits(31) for _ in range(3)]
    if not alive:
        return sample(space, seeds[0])
    parent = _winner(random, alive, section.tournament, mode)
    if random.random() < section.crossover:
        parent = crossover(parent, _winner(random, alive, section.tournament, mode), seeds[1])
    return mutate(parent, space, seeds[2])


def _winner(random: Random, alive: Sequence[Trial], tournament: int, mode: str) -> Genome:
    drawn = random.sample(alive, min(tournament, len(alive)))
    return min(drawn, key=lambda trial: trial.rank(mode)).genome
