"""`zerfoo train`: runs or resumes a config."""

from pathlib import Path
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
            print(f"{name} {value:.4f}")
        for name, value in finished.summary["baselines"].items():
            print(f"baseline/{name} {value:.4f}")
        print(f"run folder {folder.path}")
        print(_next_commands(config, folder.path, wired.dataset.kind))
    return finished.exit_code


def _next_commands(config: str, folder: Path, kind: str) -> str:
    predict = {"language": ' --prompt "def "'}.get(kind, "")
    return f"""next:
  look     zerfoo plot {folder}
  use      zerfoo predict {folder}{predict}
  change   zerfoo train {config} optimizer.learning_rate=1e-3 --run {folder}_2"""
