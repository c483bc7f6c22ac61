"""Reading an experiment's config, and where its files are. Needs no JAX, so that mistakes are reported at once."""

from collections.abc import Iterable, Mapping
import os
from pathlib import Path
from typing import Any

from zerfoo_jax.config.load import Places, load
from zerfoo_jax.experiment.schema import Experiment

FILE = "file"
"""The option of a model section that names a model file; those beside it are options of reading the file's format."""

PATH_OPTIONS = {"data": ("path", "targets_path"), "model": (FILE,)}
"""Options that name files, by section. A relative one counts from the folder of the config file that holds it, or from here if
it is given on the command line."""


def read_config(
    path: Path,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    absent: Mapping[str, Any] | None = None,
) -> tuple[Experiment, Places]:
    """The checked config of an experiment, its relative paths counting from the file's folder, and the places of its values.

    `absent` are whole sections for a config that leaves them out.
    """
    config, places = load(Experiment, path, overrides, environment, absent)
    from_here = _relative_paths(config)
    moved = {key: os.path.relpath(path, places.folder) for key, path in from_here.items() if _from_outside(places(key))}
    return _with(config, moved), places


def _from_outside(place: str) -> bool:
    return place.startswith(("command line", "environment variable"))


def with_paths_from(config: Experiment, folder: Path) -> Experiment:
    """The config with its relative paths made absolute, counting from `folder`."""
    return _with(config, {key: str((folder / path).resolve()) for key, path in _relative_paths(config).items()})


def with_paths_moved(config: Experiment, folder: Path, to: Path) -> Experiment:
    """The config with its relative paths counting from another folder: what moves together stays together."""
    return _with(config, {key: os.path.relpath(folder / path, to) for key, path in _relative_paths(config).items()})


def _relative_paths(config: Experiment) -> dict[tuple[str, str], str]:
    """The relative paths of a config, by section and option."""
    sections = {"data": config.data.model_extra or {}, "model": config.model}
    named = {(section, name): sections[section].get(name) for section, names in PATH_OPTIONS.items() for name in names}
    return {key: path for key, path in named.items() if isinstance(path, str) and not Path(path).is_absolute()}


def _with(config: Experiment, paths: Mapping[tuple[str, str], str]) -> Experiment:
    data = {name: path for (section, name), path in paths.items() if section == "data"}
    model = {name: path for (section, name), path in paths.items() if section == "model"}
    return config.model_copy(update={"data": config.data.model_copy(update=data), "model": {**config.model, **model}})
