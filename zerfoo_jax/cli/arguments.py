"""Arguments that several verbs share, and the config they name."""

import os
from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.config.load import Places
from zerfoo_jax.experiment.packaged import find_config
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.schema import Experiment

ConfigArgument = Annotated[str, typer.Argument(help="A config file, or the name of a packaged config (see `zerfoo init`).")]
OverrideArguments = Annotated[
    list[str] | None, typer.Argument(help="Settings over the file's, such as train.steps=100 optimizer.learning_rate=1e-3.")
]
RunArgument = Annotated[Path, typer.Argument(help="A run folder, as `zerfoo train` printed it.")]
StepOption = Annotated[int | None, typer.Option(help="Use the checkpoint of this step, not the newest good one.")]
BestOption = Annotated[bool, typer.Option("--best", help="Use the best checkpoint by the config's checkpoint.monitor.")]
ModelArgument = Annotated[
    str, typer.Argument(help="A config, a model file of any format, an architecture (see `zerfoo layers`), or a run folder.")
]
InputOptions = Annotated[
    list[str] | None,
    typer.Option("--input", help="Shape of an input, such as 1,224,224,3 or 1,16:int32; once for each."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def config_from(name: str, overrides: list[str] | None) -> tuple[Experiment, Places]:
    """The checked config that a verb's arguments mean."""
    return read_config(find_config(name), overrides or [], os.environ)
