"""JSON Schemas (draft 2020-12) of what mappings may say about layers and members of tables.

The annotations that check a value also describe it: types, ranges and choices come from Pydantic, defaults from the signature,
texts from the docstring. Layers and members of tables are written once, under `$defs`, and referred to from there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
import inspect
from typing import Any, TypeGuard, get_args

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from zerfoo_jax.core.documentation import about, summary
from zerfoo_jax.core.errors import ConfigError, brief
from zerfoo_jax.core.fields import adapter, options, required_options
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import REFERENCE, MemberOf, Table, layer_to_spec, to_plain

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
LAYER = "layer"
"""The definition of a layer of any type."""


class Definitions:
    """The `$defs` of one schema, filled as far as something refers to them.

    `layers` is all that a `type` may name; `forms` makes the schemas of those classes that are not written as their options.
    """

    def __init__(self, layers: Table, forms: "Forms"):
        self.layers, self.forms = layers, forms
        self.found: dict[str, Schema] = {}

    def any_layer(self) -> Schema:
        """A reference to the schema of a layer of any type."""
        return self._defined(LAYER, lambda: self.one_of(self.layers, "type"))

    def layer(self, cls: type[Layer], *more: str) -> Schema:
        """A reference to the schema of the layers of one class; `more` names what else may stand beside their options."""
        form = self.forms.get(cls)
        own = self._defined(cls.__name__, lambda: form(self) if form else self.options_of(cls, ("type", cls.__name__)))
        # Not `unevaluatedProperties`, for which validators go through nested layers once more at each level.
        return {**own, "propertyNames": {"enum": ["type", *options(cls), *more]}}

    def one_of(self, table: Table, key: str, *more: str) -> Schema:
        """A member of a table: the name of one that needs no options, or a mapping with the name under `key`, the options,
        and where layers are meant, `more`."""
        plain = [name for name, one in sorted(table.items()) if not required_options(one)]
        members = [
            self.layer(one, *more) if _is_layer(one) else closed(self.options_of(one, (key, name)))
            for name, one in sorted(table.items())
        ]
        return {"oneOf": [*([{"enum": plain}] if plain else []), *members]}

    def options_of(self, member: Callable[..., Any], named: tuple[str, str] | None = None) -> Schema:
        """The options of a class or function; with `named`, beside a key that holds its name."""
        defaults = {name: p.default for name, p in inspect.signature(member).parameters.items()}
        required = [name for name in options(member) if name in required_options(member)]
        properties = {named[0]: {"const": named[1]}} if named else {}
        for name, hint in options(member).items():
            text = about(member, name)
            default = {} if name in required else {"default": to_plain(defaults[name])}
            properties[name] = {**self.value(hint), **default, **({"description": text} if text else {})}
        return {
            "title": named[1] if named else member.__name__,
            "description": summary(member),
            "type": "object",
            "properties": properties,
            "required": [*([named[0]] if named else []), *required],
        }

    def value(self, hint: Any) -> Schema:
        """The values that fit an annotation."""
        shared = {name: schema for part in _parts(hint) for name, schema in self._shared(part).items()}
        given = adapter(hint).json_schema(schema_generator=_Generator)
        return _resolved(given, given.pop("$defs", {}), shared)

    def _shared(self, part: Any) -> dict[str, Schema]:
        """The reference that stands for a part of an annotation, under the name that Pydantic's schema gives it."""
        if isinstance(part, MemberOf):
            return {part.definition: self._defined(part.definition, lambda: self.one_of(part.table, "name"))}
        if _is_layer(part):
            return {part.__name__: self.any_layer() if part is Layer else self.layer(part)}
        return {}

    def _defined(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.found:
            self.found[name] = {}  # a layer may hold layers: what is being defined is not begun again
            self.found[name].update(make())
        return {"$ref": f"#/$defs/{name}"}

    def complete(self, schema: Schema) -> Schema:
        """The whole document around a schema that refers to these definitions."""
        used = {"$defs": dict(sorted(self.found.items()))} if self.found else {}
        return {"$schema": DRAFT, **schema, **used}


Forms = Mapping[type, Callable[[Definitions], Schema]]


def describe_in(layers: Table, forms: Forms, x: Any) -> Schema:
    """The schema of a table, class, function or instance, made of such `Definitions`."""
    define = Definitions(layers, forms)
    if isinstance(x, Mapping):
        table = {name: one if callable(one) else type(one) for name, one in x.items()}  # engines stand there ready-made
        return define.complete(define.one_of(table, "type" if all(map(_is_layer, table.values())) else "name"))
    if isinstance(x, Layer):
        return {**describe_in(layers, forms, type(x)), "default": layer_to_spec(x)}
    if is_dataclass(x) and not isinstance(x, type):
        values = {f.name: to_plain(getattr(x, f.name)) for f in fields(x)}
        return {**describe_in(layers, forms, type(x)), "default": values}
    if _is_layer(x):
        return define.complete(define.layer(x))
    if not callable(x):
        raise ConfigError(f"{brief(x)} cannot be described", fix="give a table, a layer, or a class or function of a table")
    return define.complete(closed(define.options_of(x)))


def closed(schema: Schema) -> Schema:
    """The schema with nothing allowed beside its properties."""
    return {**schema, "additionalProperties": False}


def _is_layer(x: Any) -> TypeGuard[type[Layer]]:
    return isinstance(x, type) and issubclass(x, Layer)


def _parts(hint: Any) -> Iterator[Any]:
    """What an annotation is made of, inside of records too."""
    yield hint
    record = isinstance(hint, type) and is_dataclass(hint) and not _is_layer(hint)
    for part in options(hint).values() if record else get_args(hint):
        yield from _parts(part)


class _Generator(GenerateJsonSchema):
    """Pydantic's own schemas, with the names of definitions in the places of layers."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> Schema:
        cls = schema["cls"]
        return {REFERENCE: cls.__name__} if _is_layer(cls) else super().dataclass_schema(schema)


def _resolved(schema: Any, definitions: Schema, shared: Schema) -> Any:
    """The schema with Pydantic's definitions written out in their places, and references to the shared ones."""
    if isinstance(schema, list):
        return [_resolved(part, definitions, shared) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(definitions[schema["$ref"].rpartition("/")[2]], definitions, shared)
    if REFERENCE in schema:
        return shared[schema[REFERENCE]]
    return {key: _resolved(part, definitions, shared) for key, part in schema.items()}
