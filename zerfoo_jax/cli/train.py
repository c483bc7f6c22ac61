"""`zerfoo train`: runs or resumes a config."""

import math
from pathlib import Path
import shlex
import time
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import ConfigArgument, OverrideArguments, config_from


def train(
    config: ConfigArgument,
    overrides: OverrideArguments = None,
    run: Annotated[Path | None, typer.Option(help="The run folder; default runs/<name>. The same folder resumes.")] = None,
) -> int:
    """Train a model from a config; the same command again resumes a stopped run.

    Exit codes: 0 done, 1 failed, 2 config or usage, 3 diverged, 75 stopped by SIGTERM after saving, 130 by Ctrl-C after saving.
    """
    started = time.monotonic()
    checked, places = config_from(config, overrides)

    from zerfoo_jax.experiment.folder import RunFolder
    from zerfoo_jax.experiment.runtime import enable_compilation_cache
    from zerfoo_jax.experiment.train import train as train_run
    from zerfoo_jax.experiment.wiring import wire

    if checked.runtime.compilation_cache:
        enable_compilation_cache()
    folder = RunFolder(run or Path("runs") / checked.name)
    wired = wire(checked, places)
    finished = train_run(wired, folder, started)
    if finished.summary:
        for name, value in finished.summary["metrics"].items():
            print(f"{name} {math.nan if value is None else value:.4f}")
        for name, value in finished.summary["baselines"].items():
            print(f"baseline/{name} {value:.4f}")
        print(f"run folder {folder.path}")
        print(_next_commands(config, overrides or [], folder.path, speaks_bytes=wired.dataset.vocab_size == 256))
    return finished.exit_code


def _next_commands(config: str, overrides: list[str], folder: Path, speaks_bytes: bool) -> str:
    prompt = ["--prompt", "def "] if speaks_bytes else []
    commands = {
        "look": ["plot", str(folder)],
        "use": ["predict", str(folder), *prompt],
        "change": ["train", config, *overrides, "optimizer.learning_rate=1e-3", "--run", f"{folder}_2"],
    }
    return "\n".join(["next:", *(f"  {why:8} {shlex.join(['zerfoo', *words])}" for why, words in commands.items())])
