"""The Python twins of the command line, for scripts and notebooks."""

from pathlib import Path

from zerfoo_jax.config.load import Places
from zerfoo_jax.experiment.evaluate import make_evaluate
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.packaged import find_config
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.runtime import enable_compilation_cache
from zerfoo_jax.experiment.schema import Experiment
from zerfoo_jax.experiment.train import Finished
from zerfoo_jax.experiment.train import train as train_run
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.experiment.wiring import wire


def load_config(name: str | Path, *overrides: str) -> tuple[Experiment, Places]:
    """The checked config of a file or a packaged name, with settings such as `"train.steps=100"` over it.

    The second part of the result knows where each value stands; pass both to `train`. Raises `ConfigError`.

    >>> config, places = load_config("digits_mlp", "train.steps=5")
    >>> config.train.steps
    5
    """
    return read_config(find_config(str(name)), overrides)


def train(config: Experiment, places: Places, run: str | Path | None = None) -> Finished:
    """Runs or resumes a config in folder `run` (default `runs/<name>`), as `zerfoo train` does.

    Raises `ConfigError` for what does not fit together, `DivergedError` when numbers stop being finite.
    """
    if config.runtime.compilation_cache:
        enable_compilation_cache()
    return train_run(wire(config, places), RunFolder(Path(run or Path("runs") / config.name)))


def evaluate(run: str | Path, step: int | None = None) -> dict[str, float]:
    """Scores of a run on its validation data, by its newest good checkpoint or that of `step`, as `zerfoo eval` does."""
    enable_compilation_cache()
    trained = open_run(Path(run), step)
    return make_evaluate(trained.wired)(trained.state.best_params, trained.state.state)
