"""One document from many sources: `extends` < the file < `ZERFOO_*` variables < the command line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zerfoo_jax.config.yaml import Document, PathKey, parse, read
from zerfoo_jax.core.errors import ConfigError

ENVIRONMENT_PREFIX = "ZERFOO_"
RESERVED_VARIABLES = frozenset({"ZERFOO_CACHE", "ZERFOO_DEBUG"})
"""Variables that steer the program rather than set a config value."""


def gather(path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Document:
    """Reads `path` and lays environment variables and `a.b=v` overrides over it."""
    document = _with_bases(path, ())
    for name, text in sorted((environment or {}).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in RESERVED_VARIABLES:
            keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            document = _set(document, keys, text, f"environment variable {name}")
    for override in overrides:
        name, separator, text = override.partition("=")
        keys = name.removeprefix("--").split(".")
        if not separator or not all(keys):
            raise ConfigError(
                f"cannot read {override!r} as a setting", place=f"command line: {override}", fix="write section.key=value"
            )
        document = _set(document, keys, text, f"command line: {override}")
    return document


def _with_bases(path: Path, seen: tuple[Path, ...]) -> Document:
    path = path.resolve() if path.is_absolute() else path
    if path in seen:
        raise ConfigError(f"config {str(path)!r} extends itself", place=" -> ".join(map(str, (*seen, path))))
    document = read(path)
    if not isinstance(document.value, dict):
        raise ConfigError("a config is a mapping of sections", place=f"{path}:1:1")
    base_name = document.value.pop("extends", None)
    if base_name is None:
        return document
    if not isinstance(base_name, str):
        raise ConfigError(f"extends = {base_name!r}: should be a file name", place=document.places["extends",])
    base = _with_bases(path.parent / base_name, (*seen, path))
    return Document(_overlay(base.value, document.value), base.places | document.places)


def _overlay(base: Any, top: Any) -> Any:
    """Mappings merge key by key; anything else, lists too, is replaced whole.

    A section that names another member (`name:` or `type:`) replaces the old one: its options would not fit.
    """
    if not (isinstance(base, dict) and isinstance(top, dict)):
        return top
    if any(key in top and top[key] != base.get(key, top[key]) for key in ("name", "type")) and (
        "name" in base or "type" in base
    ):
        return top
    return {**base, **{key: _overlay(base[key], value) if key in base else value for key, value in top.items()}}


def _set(document: Document, keys: list[str], text: str, place: str) -> Document:
    try:
        value = parse(text).value
    except ConfigError as error:
        raise ConfigError([type(p)(p.cause, place, p.fix) for p in error.problems]) from error
    root: dict[str, Any] = {"": document.value}
    parent: Any = root
    key: str | int = ""
    path: PathKey = ()
    for name in keys:
        section = parent.get(key) if isinstance(parent, dict) else parent[key]
        # Copied on the way down: what other documents share stays as it is.
        parent[key] = section.copy() if isinstance(section, dict | list) else {}
        parent = parent[key]
        key = _index(parent, name, place) if isinstance(parent, list) else name
        path = (*path, key)
    parent[key] = value
    kept = {at: where for at, where in document.places.items() if at[: len(path)] != path}
    created = {path[:length]: place for length in range(1, len(path) + 1) if path[:length] not in kept}
    return Document(root[""], kept | created)


def _index(items: list[Any], name: str, place: str) -> int:
    if not name.isdecimal() or int(name) >= len(items):
        raise ConfigError(f"{name!r} is not an index of a list of {len(items)}", place=place, fix="count from 0")
    return int(name)
