"""The search itself: one trial after another, in a way that survives being killed.

A finished trial is its record on disk. What comes next is a function of the config and of these records, so that a search that
was stopped goes on as if it had not been: the trial under way resumes from its own checkpoints.
"""

from collections.abc import Callable
from dataclasses import dataclass
import math
import time

import jax

from zerfoo_jax.config.load import Places
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment import outcome
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.schema import Experiment, SearchSection
from zerfoo_jax.experiment.search.evolution import propose
from zerfoo_jax.experiment.search.leaderboard import brief, write_leaderboard
from zerfoo_jax.experiment.search.trial import Trial, config_of, read_trial, run_trial
from zerfoo_jax.experiment.signals import StopRequest
from zerfoo_jax.experiment.wiring import wire
from zerfoo_jax.models.generated import Space, space_from

TRIALS_REMEMBERED = 10
"""JAX keeps the programs of every model; those of earlier trials are of no use, and tens of megabytes each."""


@dataclass(frozen=True)
class Searched:
    """How a search ended: an exit code of `outcome`, and its finished trials in their order."""

    exit_code: int
    trials: list[Trial]


def search(
    config: Experiment,
    places: Places,
    folder: RunFolder,
    trials: int,
    seconds: float = math.inf,
    say: Callable[[str], None] = lambda text: None,
) -> Searched:
    """Runs or resumes a search of so many trials, each in `trials/<number>`; after `seconds` the one under way saves and stops.

    Writes `leaderboard.json` and `leaderboard.csv`. Raises `ConfigError` for a config that cannot be searched, or that is not
    the one this folder was begun with, with the difference.
    """
    space = space_of(config, places)
    deadline = time.monotonic() + seconds
    section = config.search or SearchSection()
    first = propose(space, section, config.seed, 0, (), config.checkpoint.mode)
    wire(config_of(config, 0, first), places)  # what is wrong with every trial leaves no folder behind
    with folder.claim(config, places.folder), StopRequest() as stop:
        finished: list[Trial] = []
        for number in range(trials):
            path = folder.path / "trials" / f"{number:03d}"
            trial = read_trial(path, number)
            if trial is None:
                if stop.exit_code or time.monotonic() >= deadline:
                    return Searched(stop.exit_code, finished)
                genome = propose(space, section, config.seed, number, finished, config.checkpoint.mode)
                say(f"trial {number} of {trials}: {brief(genome)}")
                trial, exit_code = run_trial(config_of(config, number, genome), places, path, number, genome, deadline)
                if trial is None:
                    return Searched(outcome.DONE if time.monotonic() >= deadline else exit_code, finished)
                if number % TRIALS_REMEMBERED == TRIALS_REMEMBERED - 1:
                    jax.clear_caches()
            finished.append(trial)
            write_leaderboard(folder.path, finished, config.checkpoint)
        return Searched(outcome.DONE, finished)


def space_of(config: Experiment, places: Places) -> Space:
    """The space that a config searches; `ConfigError` unless its model is the generated one, with nothing fixed by a genome."""
    if config.model.get("name") != "generated" or "genome" in config.model:
        cause = "a search makes the genomes of the model `generated`, and the config has another model or a genome"
        fix = "write model: {name: generated, features: ...}"
        raise places.locate(ConfigError(cause, place="model", fix=fix))
    try:
        return space_from(config.space or {})
    except ConfigError as error:
        raise places.locate(error, "space") from None
