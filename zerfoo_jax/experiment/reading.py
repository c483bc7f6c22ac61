"""Reading an experiment's config. Needs no JAX, so that mistakes are reported at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from zerfoo_jax.config.load import Places, load
from zerfoo_jax.experiment.schema import Experiment


def read_config(
    path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> tuple[Experiment, Places]:
    """The checked config of an experiment; a relative `data.path` counts from the config file's folder."""
    config, places = load(Experiment, path, overrides, environment)
    data_path = (config.data.model_extra or {}).get("path")
    if isinstance(data_path, str):
        data = config.data.model_copy(update={"path": str((path.parent / data_path).resolve())})
        config = config.model_copy(update={"data": data})
    return config, places
