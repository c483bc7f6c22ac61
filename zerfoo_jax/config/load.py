"""From a config file to checked values: every problem at once, each with its file, line and likely spelling."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
import logging
from pathlib import Path
import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from zerfoo_jax.config.merge import ENVIRONMENT_PREFIX, RESERVED_VARIABLES, gather
from zerfoo_jax.config.paths import PathKey, format_path
from zerfoo_jax.config.yaml import Document
from zerfoo_jax.core.errors import ConfigError, Problem, brief, nearest
from zerfoo_jax.core.fields import sentence

logger = logging.getLogger(__name__)


class Section(BaseModel):
    """Base of all config sections: unknown keys are errors, values are not coerced, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NamedSection(Section):
    """A member of a table: its `name`, and options that the table's member checks itself."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    name: str

    def spec(self) -> dict[str, Any]:
        """The section as a mapping."""
        return self.model_dump(exclude_none=True)


Schema = TypeVar("Schema", bound=Section)


class Places:
    """Finds the place of a value by its path, or of its nearest enclosing section."""

    def __init__(self, document: Document, source: str):
        # As text: a node may be called `0`, where a list would have the index 0, or `layer1.0`.
        self._places, self._source = {_text(path): place for path, place in document.places.items()}, source

    @property
    def folder(self) -> Path:
        """The folder of the config file."""
        return Path(self._source).parent

    def __call__(self, path: PathKey) -> str:
        return self._at(_text(path))

    def _at(self, text: str) -> str:
        while text and text not in self._places:
            text = text[: max(text.rfind("."), text.rfind("/"), 0)]
        return self._places.get(text, self._source)

    def locate(self, error: ConfigError, section: str = "") -> ConfigError:
        """The same error with config paths such as `model.layers[2].features` followed by their file and line."""
        located = []
        for problem in error.problems:
            place = ".".join(part for part in (section, problem.place) if part)
            where = self._at(_dotted(place))
            located.append(Problem(problem.cause, f"{where} ({_printable(place)})" if place else where, problem.fix))
        return type(error)(located)


def _text(path: PathKey) -> str:
    return _dotted(".".join(map(str, path)))


def _dotted(text: str) -> str:
    return re.sub(r"\[(\d+)\]", r".\1", text)


def _printable(text: str) -> str:
    """The text with what does not print escaped: names in a file may hold line breaks, or what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def load(
    schema: type[Schema],
    path: Path,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    absent: Mapping[str, Any] | None = None,
) -> tuple[Schema, Places]:
    """Reads, merges and checks a config; raises one `ConfigError` with every problem found.

    `absent` are whole sections for a config that leaves them out. Returns the checked config and a `Places`, with which later
    checks report lines too.
    """
    document = gather(path, overrides, _settings_for(schema, environment or {}))
    document = replace(document, value={**(absent or {}), **document.value})
    places = Places(document, str(path))
    try:
        return schema.model_validate(document.value), places
    except ValidationError as error:
        raise ConfigError(_problems(schema, error, document.value, places)) from None


def _settings_for(schema: type[BaseModel], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that other programs may have set: a foreign ZERFOO_HOME must not stop a run."""
    kept = {}
    for name, text in environment.items():
        section = name.removeprefix(ENVIRONMENT_PREFIX).lower()
        if "__" in section or section in schema.model_fields:
            kept[name] = text
        elif name.startswith(ENVIRONMENT_PREFIX) and name not in RESERVED_VARIABLES:
            logger.warning("environment variable %s is no setting and is ignored", name)
    return kept


def _problems(schema: type[BaseModel], error: ValidationError, value: Any, places: Places) -> list[Problem]:
    """One problem per place. Where a union's members complain about a mapping and about its inside, the inside says more."""
    found: dict[PathKey, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_path_in(value, details), []).append(details)
    inner = {path[:length] for path in found for length in range(len(path))}
    return [_problem(schema, path, details, places) for path, details in found.items() if path not in inner]


def _path_in(value: Any, error: ErrorDetails) -> PathKey:
    """Where the error stands in the document: Pydantic puts a union's tried member into the path, which is no key there."""
    path: list[str | int] = []
    for key in error["loc"]:
        if (isinstance(value, dict) and key in value) or (isinstance(value, list) and isinstance(key, int)):
            path.append(key)
            value = value[key]  # type: ignore[index] - checked on the line above
    return (*path, error["loc"][-1]) if error["type"] == "missing" else tuple(path)


def _problem(schema: type[BaseModel], path: PathKey, errors: list[ErrorDetails], places: Places) -> Problem:
    shown, place, kind = format_path(path), places(path), errors[0]["type"]
    if kind == "extra_forbidden":
        known = _section_at(schema, path[:-1]).model_fields
        return Problem(f"unknown key {shown!r}", place, nearest(str(path[-1]), known))
    if kind == "missing":
        return Problem(f"{shown!r} is missing", place, f"add it: {path[-1]}: ...")
    return Problem(f"{shown} = {brief(errors[0]['input'])}: {sentence(errors)}", place)


def _section_at(schema: type[BaseModel], path: PathKey) -> type[BaseModel]:
    for key in path:
        field = schema.model_fields.get(str(key))
        if field is None:
            break
        kinds = (field.annotation, *get_args(field.annotation))
        schema = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), schema)
    return schema
