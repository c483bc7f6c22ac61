"""Reading an experiment's config, and where its files are. Needs no JAX, so that mistakes are reported at once."""

from collections.abc import Iterable, Mapping
import os
from pathlib import Path
from typing import Any

from zerfoo_jax.config.load import NamedSection, Places, load
from zerfoo_jax.experiment.schema import Experiment

PATH_OPTIONS = ("path", "targets_path")
"""Options of data sets that name files. A relative one counts from the folder of the config file that holds it, or from here
if it is given on the command line."""


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
    given = {name: value for name, value in _relative_paths(config.data).items() if _from_outside(places(("data", name)))}
    moved = {name: os.path.relpath(value, places.folder) for name, value in given.items()}
    return config.model_copy(update={"data": config.data.model_copy(update=moved)}), places


def _from_outside(place: str) -> bool:
    return place.startswith(("command line", "environment variable"))


def with_paths_from(section: NamedSection, folder: Path) -> NamedSection:
    """The section with its relative paths made absolute, counting from `folder`."""
    relative = _relative_paths(section)
    return section.model_copy(update={name: str((folder / path).resolve()) for name, path in relative.items()})


def with_paths_moved(section: NamedSection, folder: Path, to: Path) -> NamedSection:
    """The section with its relative paths counting from another folder: what moves together stays together."""
    relative = _relative_paths(section)
    return section.model_copy(update={name: os.path.relpath(folder / path, to) for name, path in relative.items()})


def _relative_paths(section: NamedSection) -> dict[str, str]:
    given = section.model_extra or {}
    named = {name: given[name] for name in PATH_OPTIONS if isinstance(given.get(name), str)}
    return {name: path for name, path in named.items() if not Path(path).is_absolute()}
