"""The trials of a search in order of their scores: as files, and as rows of a table."""

from collections import Counter
from collections.abc import Sequence
import csv
import io
import json
from pathlib import Path

from zerfoo_jax.experiment.folder import write_atomically
from zerfoo_jax.experiment.schema import CheckpointSection
from zerfoo_jax.experiment.search.trial import Trial, as_record
from zerfoo_jax.models.generated import Genome

COLUMNS = ("rank", "trial", "score", "parameters", "seconds", "genome")


def ranked(trials: Sequence[Trial], mode: str) -> list[Trial]:
    """The best first; trials without a score last."""
    return sorted(trials, key=lambda trial: trial.rank(mode))


def write_leaderboard(folder: Path, trials: Sequence[Trial], scored_by: CheckpointSection) -> None:
    """Writes `leaderboard.json` and `leaderboard.csv`."""
    best_first = ranked(trials, scored_by.mode)
    records = [{"rank": rank, **as_record(trial)} for rank, trial in enumerate(best_first, 1)]
    whole = {"monitor": scored_by.monitor, "mode": scored_by.mode, "trials": records}
    write_atomically(folder / "leaderboard.json", json.dumps(whole, indent=2) + "\n")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*COLUMNS[:-1], *Genome.__dataclass_fields__, "reason"])
    for rank, trial in enumerate(best_first, 1):
        genes = {**trial.genome.spec(), "cells": " ".join(trial.genome.cells)}
        score = "" if trial.score is None else trial.score
        writer.writerow([rank, trial.number, score, trial.parameters, trial.seconds, *genes.values(), trial.reason])
    write_atomically(folder / "leaderboard.csv", text.getvalue())


def rows(trials: Sequence[Trial], mode: str) -> list[tuple[str, ...]]:
    """The leaderboard's lines, one text for each of `COLUMNS`."""
    return [
        (
            str(rank),
            f"{trial.number:03d}",
            "-" if trial.score is None else f"{trial.score:.4f}",
            f"{trial.parameters:,}",
            f"{trial.seconds:.1f}",
            brief(trial.genome) if not trial.reason else f"{brief(trial.genome)}: {trial.reason}",
        )
        for rank, trial in enumerate(ranked(trials, mode), 1)
    ]


def brief(genome: Genome) -> str:
    """A genome in one line.

    >>> brief(Genome("1x3", ("dense", "lstm", "dense"), "add", "tanh", 32, 4, 1e-3, 1.0))
    '1x3 dense*2 lstm, add, tanh, width 32, heads 4, rate 1.00e-03, init 1'
    """
    counted = (f"{kind}*{count}" if count > 1 else kind for kind, count in Counter(genome.cells).items())
    sizes = f"width {genome.width}, heads {genome.num_heads}, rate {genome.learning_rate:.2e}, init {genome.init_scale:g}"
    return f"{genome.shape} {' '.join(counted)}, {genome.combine}, {genome.activation}, {sizes}"
