"""Genomes drawn, changed and crossed: always in their space, always a model; frequencies are those of LOOM's generator."""

from collections import Counter
from dataclasses import replace
from functools import cache
import json
from random import Random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.config.yaml import dump, parse
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Parallel
from zerfoo_jax.models import model_from_config
from zerfoo_jax.models.generated import Genome, Space, crossover, generated, mutate, sample, space_from, to_model

LOOM = Space()
SMALL = Space(
    shape=["1x1", "2x3"],
    cell={"dense": 1, "rnn": 2, "norm_dense": 1},
    width={"8": 1, "16": 3},
    num_heads=[2],
    activation=["relu", "tanh"],
    learning_rate=[1e-3, 1e-2],
    init_scale={"0.5": 1, "1.0": 1},
)
GENOME = Genome("1x2", ("dense", "lstm"), "add", "tanh", 32, 4, 1e-3, 1.0)
ROWS, IMAGES, SEQUENCES = (Spec(shape, jnp.float32) for shape in ((2, 5), (2, 4, 6, 1), (2, 7, 3)))


def family(space: Space, seed: int) -> list[Genome]:
    """A genome, a change of it, and its child with another one."""
    parent = sample(space, seed)
    return [parent, mutate(parent, space, seed), crossover(parent, sample(space, seed + 1), seed)]


def check_family(space: Space, seed: int) -> None:
    for genome in family(space, seed):
        assert space.holds(genome), genome
        kind, spec = [("rows", ROWS), ("rows", IMAGES), ("sequences", SEQUENCES)][seed % 3]
        output = check(to_model(genome, features=3, inputs=kind), spec)
        assert output == Spec((2, 3), jnp.float32), genome


@pytest.mark.parametrize("space", [LOOM, SMALL], ids=["loom", "small"])
def test_every_genome_lies_in_its_space_and_is_a_model(space):
    for seed in range(15):
        check_family(space, seed)


@pytest.mark.slow
@pytest.mark.parametrize("space", [LOOM, SMALL], ids=["loom", "small"])
def test_every_one_of_500_genomes_lies_in_its_space_and_is_a_model(space):
    for seed in range(500):
        check_family(space, seed)


def test_long_lines_of_descent_stay_in_the_space():
    genomes = [sample(SMALL, seed) for seed in range(4)]
    for seed in range(300):
        random = Random(seed)
        first, second = random.choice(genomes), random.choice(genomes)
        child = mutate(crossover(first, second, seed), SMALL, seed)
        assert SMALL.holds(child), child
        genomes[seed % 4] = child


@cache
def drawn() -> list[Genome]:
    return [sample(LOOM, seed) for seed in range(1500)]


@pytest.mark.parametrize(
    ("gene", "table"),
    [
        ("cells", {"attention": 0.30, "lstm": 0.25, "rnn": 0.15, "dense": 0.15, "swiglu": 0.08, "norm_dense": 0.07}),
        ("combine", {"average": 0.35, "add": 0.30, "concat": 0.20, "grid_scatter": 0.15}),
        ("width", {64: 0.75, 32: 0.25}),
        ("num_heads", {4: 0.5, 8: 0.5}),
        ("activation", dict.fromkeys(["scaled_relu", "sigmoid", "tanh", "softplus", "leaky_relu"], 0.2)),
        ("shape", dict.fromkeys(["1x1", "2x2", "3x3", "4x1", "1x4", "2x3", "3x2", "8x1", "6x4"], 1 / 9)),
    ],
)
def test_choices_are_as_frequent_as_in_looms_table(gene, table):
    stats = pytest.importorskip("scipy.stats")
    values = [getattr(genome, gene) for genome in drawn()]
    counts = Counter(kind for cells in values for kind in cells) if gene == "cells" else Counter(values)
    assert set(counts) == set(table)
    total = sum(counts.values())
    observed, expected = zip(*((counts[choice], share * total) for choice, share in table.items()), strict=True)
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_learning_rates_are_log_uniform():
    stats = pytest.importorskip("scipy.stats")
    logarithms = np.log10([genome.learning_rate for genome in drawn()])
    assert stats.kstest(logarithms, stats.uniform(-4, 2).cdf).pvalue > 1e-3
    assert {genome.init_scale for genome in drawn()} == {0.5}


def test_weights_need_not_add_up_to_one_and_a_choice_without_a_weight_is_as_likely_as_the_others():
    assert space_from({"width": [32, 64]}).width == ((32, 1.0), (64, 1.0))
    counts = Counter(sample(space_from({"cell": {"dense": 9, "lstm": 3}, "shape": ["1x1"]}), s).cells[0] for s in range(1000))
    assert abs(counts["dense"] - 750) < 5 * (1000 * 0.75 * 0.25) ** 0.5 and sum(counts.values()) == 1000


def differences(a: Genome, b: Genome) -> list[str]:
    return [gene for gene in a.spec() if a.spec()[gene] != b.spec()[gene]]


def test_a_mutation_changes_one_gene_and_every_gene_in_turn():
    changed = set()
    for seed in range(200):
        parent = sample(SMALL, seed)
        found = differences(parent, mutate(parent, SMALL, seed))
        assert len(found) == 1 or found == ["shape", "cells"]
        changed.update(found)
    assert changed == {"shape", "cells", "combine", "activation", "width", "learning_rate", "init_scale"}


def test_a_mutated_cell_leaves_the_others_and_a_new_grid_keeps_what_both_have():
    parent = Genome("2x2", ("dense", "rnn", "lstm", "swiglu"), "add", "tanh", 32, 4, 1e-3, 0.5)
    grids = replace(LOOM, shape=["2x2", "3x3"], combine=["add"], activation=["tanh"], width=[32], num_heads=[4], cell=["rnn"])
    grids = replace(grids, learning_rate=(1e-3, 1e-3))
    child = mutate(parent, grids, 0)
    assert child == replace(parent, shape="3x3", cells=("dense", "rnn", "rnn", "lstm", "swiglu", *["rnn"] * 4))
    cells = replace(grids, shape=["2x2"], cell=["dense", "rnn"])
    child = mutate(parent, cells, 0)
    assert sum(a != b for a, b in zip(parent.cells, child.cells, strict=True)) == 1


def test_where_nothing_is_open_a_mutation_is_the_genome_itself():
    one = space_from(
        {
            "shape": ["1x1"],
            "cell": ["dense"],
            "combine": ["add"],
            "activation": ["relu"],
            "width": [8],
            "num_heads": [2],
            "learning_rate": [1e-3, 1e-3],
        }
    )
    genome = sample(one, 0)
    assert mutate(genome, one, 3) == genome == crossover(genome, genome, 5)


def test_a_child_has_every_gene_from_a_parent_and_cells_by_their_place():
    first = Genome("2x1", ("dense", "rnn"), "add", "tanh", 32, 4, 1e-3, 0.5)
    second = Genome("1x2", ("lstm", "swiglu"), "concat", "sigmoid", 64, 8, 1e-2, 1.0)
    seen = set()
    for seed in range(40):
        child = crossover(first, second, seed)
        parent = first if child.shape == "2x1" else second
        assert child.cells[1] == parent.cells[1] and child.cells[0] in ("dense", "lstm")
        for gene in ("combine", "activation", "width", "num_heads", "learning_rate", "init_scale"):
            assert getattr(child, gene) in (getattr(first, gene), getattr(second, gene))
        seen.add((child.shape, child.cells[0], child.combine, child.width))
    assert len(seen) > 8


def test_genomes_are_values_that_survive_json_and_yaml():
    genome = sample(LOOM, 3)
    assert Genome(**json.loads(json.dumps(genome.spec()))) == genome
    assert Genome(**parse(dump(genome.spec())).value) == genome
    assert hash(genome) == hash(replace(genome))


def test_a_seed_and_its_genome_written_out_are_the_same_model():
    seeded, _ = model_from_config({"name": "generated", "features": 3, "seed": 11}, ROWS)
    written, _ = model_from_config({"name": "generated", "features": 3, "genome": sample(LOOM, 11).spec()}, ROWS)
    assert seeded == written == generated(features=3, genome=sample(LOOM, 11))


def test_kernels_start_with_the_genomes_scale():
    wide = replace(GENOME, shape="1x1", cells=("dense",), width=256, init_scale=0.25)
    params, _ = to_model(wide, features=3).init(jax.random.key(0), Spec((1, 400), jnp.float32))
    for kernel in (params["stem"]["kernel"], params["grid"]["branch_0"]["dense_0"]["kernel"], params["merger"]["kernel"]):
        assert abs(float(kernel.std()) * kernel.shape[0] ** 0.5 / 0.25 - 1) < 0.02


def test_cells_of_a_scattered_grid_lie_row_by_row():
    genome = Genome("2x2", ("dense", "rnn", "lstm", "swiglu"), "grid_scatter", "tanh", 8, 2, 1e-3, 1.0)
    cells = to_model(genome, features=2, inputs="sequences").children()["grid"]
    assert isinstance(cells, Parallel)
    assert dict(cells.combine)["positions"] == ((0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0))
    assert [type(branch).__name__ for branch in cells.branches] == ["Sequential", "SimpleRNN", "LSTM", "FeedForward"]


@pytest.mark.parametrize(
    ("genes", "text"),
    [
        ({"cells": ["dense"]}, "Genome.cells has 1 cells, a grid of 1x2 has 2"),
        ({"cells": ["dense", "gru"]}, "Genome.cells"),
        ({"shape": "0x2"}, "should match pattern"),
        ({"shape": "99x99"}, "a grid of 99x99 has over 256 cells"),
        ({"width": 36}, "width = 36 does not divide into num_heads = 4 heads of an even width; use a multiple of 8"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"learning_rate": -1.0}, "should be greater than 0"),
        ({"depth": 3}, "Genome has no option 'depth'"),
    ],
)
def test_genomes_that_cannot_be_are_refused(genes, text):
    with pytest.raises(ConfigError) as raised:
        model_from_config({"name": "generated", "features": 3, "genome": {**GENOME.spec(), **genes}}, ROWS)
    assert text in str(raised.value) and raised.value.problems[0].place == "model.genome"


@pytest.mark.parametrize(
    ("section", "place", "text"),
    [
        ({"shapes": ["1x1"]}, "shapes", "did you mean 'shape'"),
        ({"shape": []}, "shape", "should have more items|at least 1 item"),
        ({"shape": {"1x1": 0}}, "shape", "greater than 0"),
        ({"shape": {"1x1": "much"}}, "shape", "valid number"),
        ({"shape": ["1x1", "1x1"]}, "shape", "every choice once"),
        ({"shape": ["20x20"]}, "shape", "over 256 cells"),
        ({"shape": 3}, "shape", "should be a list"),
        ({"cell": {"gru": 1.0}}, "cell", "'attention'"),
        ({"cell": {"dense": float("inf")}}, "cell", "finite"),
        ({"width": {"wide": 1}}, "width", "integer"),
        ({"width": [30]}, "width", "use a multiple of 8"),
        ({"activation": ["rellu"]}, "activation", "did you mean 'relu'"),
        ({"learning_rate": [1e-2, 1e-4]}, "learning_rate", "ends below its start"),
        ({"learning_rate": [1e-2]}, "learning_rate", "more items"),
        ({"init_scale": {"-1": 1}}, "init_scale", "greater than 0"),
    ],
)
def test_spaces_that_cannot_be_are_refused_with_their_place(section, place, text):
    with pytest.raises(ConfigError, match=text) as raised:
        space_from(section)
    assert raised.value.problems[0].place == place
