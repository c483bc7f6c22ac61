"""One document from many sources: `extends` < the file < `ZERFOO_*` variables < the command line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
import re
from typing import Any

from zerfoo_jax.config import strict_json
from zerfoo_jax.config.paths import PathKey
from zerfoo_jax.config.yaml import MAX_DEPTH, Document, parse, read, read_text
from zerfoo_jax.core.errors import ConfigError, Problem

ENVIRONMENT_PREFIX = "ZERFOO_"
RESERVED_VARIABLES = frozenset({"ZERFOO_CACHE", "ZERFOO_DEBUG"})
"""Variables that steer the program rather than set a config value."""


def gather(path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Document:
    """Reads `path` and lays environment variables and `a.b=v` overrides over it.

    Raises one `ConfigError` with the problems of all settings that cannot be read or have no place.
    """
    return lay_over(_with_bases(path, ()), overrides, environment)


def lay_over(document: Document, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Document:
    """A document with environment variables and `a.b=v` overrides over it; raises as `gather` does."""
    problems: list[Problem] = []
    for name, text, place in _settings(overrides, environment or {}):
        try:
            document = _set(document, _keys(name, place), text, place)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return document


def _settings(overrides: Iterable[str], environment: Mapping[str, str]) -> Iterator[tuple[str, str | None, str]]:
    """The path, the text of the value (None where there is no `=`) and the place of every setting, the strongest last."""
    for name, text in sorted(environment.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in RESERVED_VARIABLES:
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            yield path, text, f"environment variable {name}"
    for override in overrides:
        name, separator, text = override.partition("=")
        yield name.removeprefix("--"), text if separator else None, f"command line: {override}"


def _keys(name: str, place: str) -> list[str]:
    keys = re.sub(r"\[(\d+)\]", r".\1", name).split(".")
    if not all(keys) or len(keys) > MAX_DEPTH:
        raise ConfigError(f"{name!r} is not the name of a setting", place=place, fix="write section.key=value")
    return keys


def _json(path: Path) -> Document:
    """The document in a JSON file; its places are those that it has as YAML, where it is YAML too."""
    text = read_text(path).removeprefix("\ufeff")
    value = strict_json.parse(text, str(path))
    try:
        return Document(value, parse(text, str(path)).places)
    except ConfigError:  # such as for indentation by tabs, or an emoji written as two escapes
        return Document(value)


def _with_bases(path: Path, seen: tuple[Path, ...]) -> Document:
    document = _json(path) if path.suffix == ".json" else read(path)
    if not isinstance(document.value, dict):
        raise ConfigError("a config is a mapping of sections", place=f"{path}:1:1", fix="write name: value")
    base_name = document.value.pop("extends", None)
    if base_name is None:
        return document
    place = document.places["extends",]
    seen = (*seen, path.resolve())
    base_path = path.parent / base_name if isinstance(base_name, str) else None
    if base_path is None or not base_path.is_file():
        raise ConfigError(f"extends = {base_name!r}: no such file", place=place, fix="name a file, relative to this one")
    if base_path.resolve() in seen:
        raise ConfigError(f"config {str(path)!r} extends itself", place=place, fix="break the circle")
    if len(seen) > MAX_DEPTH:
        raise ConfigError(f"more than {MAX_DEPTH} configs extend one another", place=place, fix="join some of them")
    base = _with_bases(base_path, seen)
    return Document(_merge(base.value, document.value), base.places | document.places)


def _merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{key: _overlay(base[key], value) if key in base else value for key, value in top.items()}}


def _overlay(base: Any, top: Any) -> Any:
    """Mappings merge key by key; anything else, lists too, is replaced whole.

    A section that names another member (`name:` or `type:`) replaces the old one: its options would not fit.
    """
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return top
    return top if _names_another_member(base, top) else _merge(base, top)


def _names_another_member(base: dict[str, Any], top: dict[str, Any]) -> bool:
    has_one = any(key in base for key in ("name", "type", "nodes"))
    other = any(key in top and top[key] != base.get(key) for key in ("name", "type"))
    return has_one and (other or ("nodes" in top and "nodes" not in base))


def _set(document: Document, keys: list[str], text: str | None, place: str) -> Document:
    if text is None:
        raise ConfigError("a setting without a value", place=place, fix="write section.key=value")
    try:
        value = parse(text).value
    except ConfigError as error:
        raise ConfigError([replace(problem, place=place) for problem in error.problems]) from error
    new, path = _put(document.value, keys, value, place)
    kept = {at: where for at, where in document.places.items() if at[: len(path)] != path}
    created = {path[:length]: place for length in range(1, len(path) + 1) if path[:length] not in kept}
    return Document(new, kept | created)


def _put(part: Any, keys: list[str], value: Any, place: str) -> tuple[Any, PathKey]:
    """The part with the value put in, and where. Copied on the way: what other documents share stays as it is."""
    if not keys:
        return value, ()
    new: Any = part.copy() if isinstance(part, dict | list) else {}
    key: Any = _index(new, keys[0], place) if isinstance(new, list) else keys[0]
    old = new[key] if isinstance(new, list) else new.get(key)
    new[key], path = _put(old, keys[1:], value, place)
    return new, (key, *path)


def _index(items: list[Any], name: str, place: str) -> int:
    if not name.isdecimal() or int(name) >= len(items):
        raise ConfigError(f"{name!r} is not an index of a list of {len(items)}", place=place, fix="count from 0")
    return int(name)
