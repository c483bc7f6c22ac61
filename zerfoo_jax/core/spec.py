"""Objects from mappings and back: the one way in which YAML, JSON and Python describe members of a table.

A layer is written `{type: Dense, features: 10}` (or just `Flatten` when it needs no options); fields that hold layers nest. A
layer class with a form of its own brings `read_spec` and `write_spec`.
Members of the other tables are written `{name: adamw, learning_rate: 1e-3}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, get_args, get_origin

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from zerfoo_jax.core.errors import ConfigError, Problem, brief, nearest
from zerfoo_jax.core.fields import check_options, options, plain
from zerfoo_jax.core.layer import Built, Layer, Walk, expect_layer
from zerfoo_jax.core.types import Array

Table = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Broken(Layer):
    """Stands where a spec could not be read, so that the rest of the model can still be checked."""

    features: Any = None

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        return {}, {}, walk.guess(self, *xs)


def member(table: Table, name: Any, kind: str) -> Callable[..., Any]:
    """The table's member of that name; an unknown name is an error that lists the known ones and the nearest."""
    if not isinstance(name, str) or name not in table:
        raise ConfigError(f"unknown {kind} {brief(name)}", fix=nearest(name, table))
    return table[name]


Named = str | tuple[tuple[str, Any], ...]
"""A member of a table in a layer's field: its name, or pairs of `name` and options, which is how a mapping hashes."""
NamedOrMapping = Named | Mapping[str, Any]
"""What may be given for such a field."""


REFERENCE = "x-defined-as"
"""Stands in a field's JSON Schema for a definition that it shares with others; see `core.json_schema`."""


class MemberOf:
    """For annotations: the field names one of the table's members, as text or as a mapping `{name: ..., option: value}`."""

    def __init__(self, table: Table, kind: str):
        self.table, self.kind = table, kind

    @property
    def definition(self) -> str:
        """What the members are called in a JSON Schema."""
        return self.kind.replace(" ", "_")

    def known(self, given: NamedOrMapping) -> Named:
        """The name, or the mapping as pairs, once its options have been checked; `ValueError` with what is wrong."""
        named = given if isinstance(given, str) else pairs(given)
        try:
            bound(self.table, named, self.kind)
        except ConfigError as error:
            raise ValueError("; ".join(f"{p.cause}; {p.fix}" if p.fix else p.cause for p in error.problems)) from error
        return named

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.known, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {REFERENCE: self.definition}


def pairs(options: Mapping[str, Any] | tuple[tuple[str, Any], ...]) -> tuple[tuple[str, Any], ...]:
    """A mapping as pairs, so that it hashes."""
    return tuple((name, plain(value)) for name, value in dict(options).items())


def bound(table: Table, named: NamedOrMapping, kind: str) -> partial[Any]:
    """The member that a field annotated with `MemberOf` names, with its options filled in."""
    return bind(table, named if isinstance(named, str) else dict(named), kind)


def bind(table: Table, spec: str | Mapping[str, Any], kind: str) -> partial[Any]:
    """A function of a table with its options checked and bound: `{name: ..., option: value}` or just the name."""
    given = {"name": spec} if isinstance(spec, str) else dict(spec)
    function = member(table, given.pop("name", None), kind)
    checked, problems = check_options(function, given)
    if problems:
        raise ConfigError(problems)
    return partial(function, **checked)


def layer_from_spec(spec: Any, table: Table, place: str = "model") -> Layer:
    """The layer that `spec` describes; raises one `ConfigError` with every problem and its place."""
    problems: list[Problem] = []
    try:
        layer = read_layer(spec, table, place, problems)
    except RecursionError as error:
        raise ConfigError("the layers are nested too deep", place=place, fix="use Stack or a graph") from error
    if problems:
        raise ConfigError(problems)
    return layer


def read_layer(spec: Any, table: Table, place: str, problems: list[Problem]) -> Layer:
    """As `layer_from_spec`, but writes problems down and puts a `Broken` layer in the place of what it could not read."""
    given = {"type": spec} if isinstance(spec, str) else spec
    if isinstance(given, Layer):
        return given
    if not isinstance(given, Mapping):
        problems.append(Problem(f"a layer is a name or a mapping with `type`, got {brief(spec)}", place))
        return Broken()
    given = dict(given)
    features = given.get("features")
    if "type" not in given:
        problems.append(Problem(f"a layer needs a type, got {brief(spec)}", place, "add type: ..."))
        return Broken(features)
    try:
        cls = member(table, given.pop("type", None), "layer")
    except ConfigError as error:
        problems.extend(Problem(p.cause, f"{place}.type", p.fix) for p in error.problems)
        return Broken(features)
    read_spec = getattr(cls, "read_spec", None)
    if read_spec:
        return read_spec(given, table, place, problems)
    checked, found = check_options(cls, with_layers(cls, given, table, place, problems))
    problems.extend(Problem(p.cause, f"{place}.{p.place}" if p.place else place, p.fix) for p in found)
    if found:
        return Broken(features)
    try:
        return cls(**checked)
    except ConfigError as error:  # a rule over several fields
        problems.extend(Problem(p.cause, place, p.fix) for p in error.problems)
        return Broken(features)


def with_layers(
    member: Callable[..., Any], given: Mapping[str, Any], table: Table, place: str, problems: list[Problem]
) -> dict[str, Any]:
    """The options of a table's member with the layers read that some of them hold; problems are written down."""
    hints = {name: hint for name, hint in options(member).items() if name in given and _holds_layers(hint)}
    nested = {name: _read_nested(given[name], hint, table, f"{place}.{name}", problems) for name, hint in hints.items()}
    return {**given, **nested}


def _holds_layers(hint: Any) -> bool:
    return (isinstance(hint, type) and issubclass(hint, Layer)) or any(_holds_layers(argument) for argument in get_args(hint))


def _read_nested(value: Any, hint: Any, table: Table, place: str, problems: list[Problem]) -> Any:
    if get_origin(hint) is not tuple:
        return None if value is None else read_layer(value, table, place, problems)
    if not isinstance(value, list | tuple):
        return value  # the check of the field says what is wrong
    return tuple(read_layer(item, table, f"{place}[{i}]", problems) for i, item in enumerate(value))


def layer_to_spec(layer: Layer) -> dict[str, Any]:
    """The mapping that `layer_from_spec` turns back into an equal layer; fields at their defaults are left out.

    Raises `ConfigError` for what is no layer.
    """
    expect_layer(layer)
    write_spec = getattr(layer, "write_spec", None)
    if write_spec:
        return write_spec()
    assert is_dataclass(layer)
    given = {f.name: getattr(layer, f.name) for f in fields(layer) if getattr(layer, f.name) != f.default}
    return {"type": type(layer).__name__, **{name: to_plain(value) for name, value in given.items()}}


def to_plain(value: Any) -> Any:
    """A field's value as a mapping says it: layers and pairs as mappings, tuples as lists."""
    if isinstance(value, Layer):
        return layer_to_spec(value)
    if not isinstance(value, tuple):
        return value
    if value and all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) for item in value):
        return {name: to_plain(item) for name, item in value}  # what was a mapping
    return [to_plain(item) for item in value]
