"""Which genome comes next depends on the seed and on the trials before it, as regularised evolution says."""

from collections import Counter
from dataclasses import replace

from zerfoo_jax.experiment.schema import SearchSection
from zerfoo_jax.experiment.search.evolution import propose
from zerfoo_jax.experiment.search.trial import Trial
from zerfoo_jax.models.generated import Genome, Space, sample

SPACE = Space(shape=["1x1"], cell=["dense"], combine=["add"], num_heads=[2], width=[8, 16, 32, 64, 128], activation=["relu"])
SECTION = SearchSection(population=4, tournament=2, crossover=0.5)


def trial(number: int, score: float | None, genome: Genome | None = None) -> Trial:
    return Trial(number, genome or sample(SPACE, number), score, 10, 1.0, "" if score is not None else "diverged")


def with_width(width: int) -> Genome:
    return Genome("1x1", ("dense",), "add", "relu", width, 2, 1e-3, 0.5)


def test_the_first_ones_are_random_and_each_is_another():
    first = [propose(SPACE, SECTION, 7, number, [trial(i, 0.5) for i in range(number)], "max") for number in range(4)]
    assert len(set(first)) == 4
    assert first == [propose(SPACE, SECTION, 7, number, [trial(i, 0.9) for i in range(number)], "max") for number in range(4)]
    assert first != [propose(SPACE, SECTION, 8, number, [], "max") for number in range(4)]


def test_the_same_scores_give_the_same_genome_and_others_another():
    before = [trial(i, i / 10) for i in range(6)]
    again = [trial(i, i / 10) for i in range(6)]
    assert propose(SPACE, SECTION, 7, 6, before, "max") == propose(SPACE, SECTION, 7, 6, again, "max")
    proposals = {propose(SPACE, SECTION, 7, 6, [trial(i, s) for i in range(6)], "max") for s in (0.1, 0.2)}
    assert len(proposals) == 1, "equal scores: by parameters and age"
    assert propose(SPACE, SECTION, 7, 6, before, "max") != propose(SPACE, SECTION, 7, 7, before, "max")


def parents(mode: str, scores: list[float | None], crossover: float = 0.0, tournament: int = 2) -> Counter[int]:
    """Which widths the parents had, of trials whose widths grow with their number; children keep four genes of five."""
    before = [trial(i, score, with_width(2 ** (i + 3))) for i, score in enumerate(scores)]
    section = SearchSection(population=4, tournament=tournament, crossover=crossover)
    space = Space(
        shape=["1x1"], cell=["dense"], combine=["add"], num_heads=[2], width=[8], activation=["relu"], init_scale=[0.5]
    )
    return Counter(propose(space, section, seed, len(before), before, mode).width for seed in range(200))


def test_only_the_last_ones_have_children_however_good_the_older_were():
    assert set(parents("max", [1.0, 1.0, 0.1, 0.2, 0.3, 0.4])) <= {32, 64, 128, 256}


def test_a_tournament_prefers_the_better_of_its_draw():
    found = parents("max", [0.1, 0.2, 0.3, 0.4])
    # The best of two drawn of four without return: the i-th worst wins i of six pairs.
    assert found.keys() == {16, 32, 64} and abs(found[64] / 200 - 1 / 2) < 0.12 and abs(found[16] / 200 - 1 / 6) < 0.12
    assert set(parents("min", [0.1, 0.2, 0.3, 0.4])) == {8, 16, 32}
    assert set(parents("max", [0.1, 0.2, 0.3, 0.4], tournament=9)) == {64}


def test_trials_without_a_score_have_no_children_and_where_all_failed_it_begins_anew():
    assert set(parents("max", [0.1, None, None, None])) == {8}
    assert parents("max", [None] * 4) == {8: 200}, "random ones of the space"


def test_what_has_been_tried_is_not_tried_again_while_there_is_anything_else():
    few = replace(SPACE, width=[8, 16, 32, 64], learning_rate=(1e-3, 1e-3), init_scale=[0.5])
    for population in (1, 5):  # changed ones, and random ones
        tried: list[Trial] = []
        for number in range(5):
            section = SearchSection(population=population)
            tried.append(trial(number, 0.5, propose(few, section, 0, number, tried, "max")))
        assert {t.genome.width for t in tried[:4]} == {8, 16, 32, 64}


def test_a_cross_has_genes_of_both_parents():
    slow, fast = with_width(8), Genome("1x1", ("dense",), "add", "tanh", 16, 2, 1e-2, 0.5)
    before = [trial(0, 0.5, slow), trial(1, 0.5, fast), trial(2, 0.5, slow), trial(3, 0.5, fast)]
    section = SearchSection(population=4, tournament=1, crossover=1.0)
    space = Space(shape=["1x1"], cell=["dense", "lstm"], combine=["add"], num_heads=[2], width=[8], learning_rate=[1e-3, 1e-3])
    mixed = {propose(space, section, seed, 4, before, "max") for seed in range(40)}
    assert {(g.width, g.activation) for g in mixed} >= {(8, "tanh"), (16, "relu")}
