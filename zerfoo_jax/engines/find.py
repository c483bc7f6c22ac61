"""Finds engines by name: the table's own, and those that installed packages bring."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zerfoo_jax.core.errors import ConfigError, EngineError, brief, nearest
from zerfoo_jax.core.fields import check_options
from zerfoo_jax.engines.engine import Engine

GROUP = "zerfoo_jax.engines"
"""The entry-point group in which a package names its engines: `name = "module:ENGINE"`."""


def find(table: Mapping[str, Engine], given: str | Mapping[str, Any] | Engine) -> Engine:
    """The engine of a name, or of `{name: ..., option: value}`, with its options checked; an engine is itself."""
    if isinstance(given, Engine):
        return given
    chosen = {"name": given} if isinstance(given, str) else dict(given)
    engine = _named(table, chosen.pop("name", None))
    checked, problems = check_options(type(engine), {**vars(engine), **chosen})
    if problems:
        raise ConfigError(problems)
    return replace(engine, **checked)


def _named(table: Mapping[str, Engine], name: Any) -> Engine:
    if isinstance(name, str) and name in table:
        return table[name]
    points = {point.name: point for point in entry_points(group=GROUP)}
    if not isinstance(name, str) or name not in points:
        raise ConfigError(f"unknown engine {brief(name)}", fix=nearest(name, {*table, *points}))
    return _loaded(points[name])


def _loaded(point: EntryPoint) -> Engine:
    package = point.dist.name if point.dist else point.value
    fix = f"mend or remove the package {package!r}"
    try:
        engine = point.load()
    except Exception as error:  # whatever a package raises when it is imported
        raise EngineError(f"engine {point.name!r} cannot be loaded: {type(error).__name__}: {error}", fix=fix) from error
    if not isinstance(engine, Engine):
        raise EngineError(f"engine {point.name!r} is {brief(engine)} and no zerfoo_jax.engines.Engine", fix=fix)
    return engine


def available(table: Mapping[str, Engine]) -> dict[str, Engine | EngineError]:
    """Every engine there is; in the place of one that cannot be had, the error that says why."""
    found: dict[str, Engine | EngineError] = dict(table)
    for point in entry_points(group=GROUP):
        name = point.name
        if name in found:
            owner = "the package" if name in table else "another plugin"
            package = point.dist.name if point.dist else point.value
            found[f"{name} of {package}"] = EngineError(f"the name {name!r} is taken by {owner}", fix="give it another name")
            continue
        try:
            found[name] = _loaded(point)
        except EngineError as error:
            found[name] = error
    return found
