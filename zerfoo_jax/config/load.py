"""From a config file to checked values: every problem at once, each with its file, line and likely spelling."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
import re
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from zerfoo_jax.config.merge import gather
from zerfoo_jax.config.yaml import Document, PathKey
from zerfoo_jax.core.errors import ConfigError, Problem, nearest


class Section(BaseModel):
    """Base of all config sections: unknown keys are errors, values are not coerced, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NamedSection(Section):
    """A member of a table: its `name`, and options that the table's member checks itself."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str

    def spec(self) -> dict[str, Any]:
        """The section as a mapping."""
        return self.model_dump(exclude_none=True)


Schema = TypeVar("Schema", bound=Section)


class Places:
    """Finds the place of a value by its path, or of its nearest enclosing section."""

    def __init__(self, document: Document, source: str):
        self._places, self._source = document.places, source

    def __call__(self, path: PathKey) -> str:
        for length in range(len(path), -1, -1):
            if path[:length] in self._places:
                return self._places[path[:length]]
        return self._source

    def locate(self, error: ConfigError, section: str = "") -> ConfigError:
        """The same error with config paths such as `model.layers[2].features` followed by their file and line."""
        located = []
        for problem in error.problems:
            place = ".".join(part for part in (section, problem.place) if part)
            where = self(parse_path(place))
            located.append(Problem(problem.cause, f"{where} ({place})" if place else where, problem.fix))
        return type(error)(located)


def parse_path(text: str) -> PathKey:
    """The keys of a config path.

    >>> parse_path("model.layers[2].features")
    ('model', 'layers', 2, 'features')
    """
    return tuple(int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", text))


def format_path(path: Sequence[str | int]) -> str:
    """The inverse of `parse_path`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def load(
    schema: type[Schema], path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> tuple[Schema, Places]:
    """Reads, merges and checks a config; raises one `ConfigError` with every problem found.

    Returns the checked config and a `Places`, with which later checks report lines too.
    """
    document = gather(path, overrides, environment)
    places = Places(document, str(path))
    try:
        return schema.model_validate(document.value), places
    except ValidationError as error:
        raise ConfigError([_problem(schema, e, places) for e in error.errors(include_url=False)]) from None


def _problem(schema: type[BaseModel], error: ErrorDetails, places: Places) -> Problem:
    path = tuple(key for key in error["loc"] if not _is_union_tag(key))
    shown = format_path(path)
    place = places(path)
    if error["type"] == "extra_forbidden":
        known = _section_at(schema, path[:-1]).model_fields
        return Problem(f"unknown key {shown!r}", place, nearest(str(path[-1]), known))
    if error["type"] == "missing":
        return Problem(f"{shown!r} is missing", place, f"add it: {path[-1]}: ...")
    message = error["msg"].replace("Input should be", "should be").removeprefix("Value error, ")
    return Problem(f"{shown} = {error['input']!r}: {message}", place)


def _is_union_tag(key: str | int) -> bool:
    """Pydantic puts the tried member of a union into the path, as a type's name."""
    return isinstance(key, str) and (key in {"str", "int", "float", "bool"} or "[" in key or key[:1].isupper())


def _section_at(schema: type[BaseModel], path: PathKey) -> type[BaseModel]:
    for key in path:
        field = schema.model_fields.get(str(key))
        if field is None:
            break
        kinds = (field.annotation, *get_args(field.annotation))
        schema = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), schema)
    return schema
