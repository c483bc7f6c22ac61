"""`zerfoo search`: looks for an architecture."""

import math
import os
from pathlib import Path
import sys
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import ConfigArgument, OverrideArguments
from zerfoo_jax.experiment.packaged import find_config


def search(
    config: ConfigArgument,
    overrides: OverrideArguments = None,
    trials: Annotated[int, typer.Option(min=1, help="How many trials in all; a larger number goes on from there.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Stop after so many minutes; the same command goes on.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The search's folder; default runs/<name>. The same folder resumes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the search and of every run; as seed=... does.")] = None,
) -> int:
    """Search for an architecture: random ones first, then changed and crossed ones of the best. The same command resumes.

    CONFIG may hold no more than `space` and `data`, or data=... stand behind it: what is left out suits the data.
    Every trial is a run of its own in the folder's `trials`, for `zerfoo eval`, `predict` and `plot`. Exit codes: as train's.
    """
    settings = [*(overrides or []), *([f"seed={seed}"] if seed is not None else [])]
    from rich.console import Console
    from rich.table import Column, Table

    from zerfoo_jax.core.errors import ZerfooError
    from zerfoo_jax.experiment import runtime
    from zerfoo_jax.experiment.folder import RunFolder
    from zerfoo_jax.experiment.search.leaderboard import COLUMNS, rows
    from zerfoo_jax.experiment.search.loop import search as run_search
    from zerfoo_jax.experiment.search.plots import plot_search
    from zerfoo_jax.experiment.search.reading import read_search

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    checked, places = read_search(find_config(config), settings, os.environ)
    if checked.runtime.compilation_cache:
        runtime.enable_compilation_cache()
    folder = RunFolder(run or Path("runs") / checked.name)
    searched = run_search(checked, places, folder, trials, math.inf if minutes is None else 60 * minutes, say)
    table = Table(*COLUMNS[:-1], Column("genome", overflow="fold"), title=checked.checkpoint.monitor)
    for row in rows(searched.trials, checked.checkpoint.mode):
        table.add_row(*row)
    Console().print(table)
    try:
        print(plot_search(folder, searched.trials, checked.checkpoint))
    except ZerfooError as error:
        say(f"no picture: {error.problems[0].cause}")
    print(f"search folder {folder.path}")
    return searched.exit_code
