"""What may be said of any layer, table or function, as JSON Schema: what a designer draws its forms from."""

from typing import Any

from zerfoo_jax.core.json_schema import Definitions, Schema, closed, describe_in
from zerfoo_jax.graph import TABLE, Graph, Input


def describe(x: Any) -> Schema:
    """The JSON Schema (draft 2020-12) of the mappings that describe members of a table, layers of a class, or a function's
    options.

    - Of a table: the name of a member that needs no options, or a mapping with its `type` (layers) or `name` and its options.
    - Of a layer class: `{type: ..., option: value}`. Of any other class, or a function: `{option: value}`.
    - Of a layer or another dataclass: as of its class, with its own values as the `default` of the whole schema; that of a
      layer is its `model_to_spec`.

    Types, ranges, choices, defaults and what is required are those that the constructors check; rules over several fields
    are not part of it. Descriptions are the docstring's first sentence, for an option the first that names it. Layers stand
    under `$defs` by their class, a layer of any type as `layer`, members of tables under their kind, such as `activation`.
    Raises `ConfigError` for what is none of these.

    >>> from zerfoo_jax.layers import Dropout
    >>> schema = describe(Dropout(0.5))
    >>> rate = schema["$defs"]["Dropout"]["properties"]["rate"]
    >>> schema["default"], rate["minimum"], rate["exclusiveMaximum"]
    ({'type': 'Dropout', 'rate': 0.5}, 0, 1)
    """
    return describe_in(TABLE, {Graph: _graph}, x)


_NAMES: Schema = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _graph(define: Definitions) -> Schema:
    """What `graph.spec` reads."""
    own = define.options_of(Graph, ("type", "Graph"))
    named: Schema = {"propertyNames": {"pattern": "^[^/:]+$"}, "type": "object"}
    inputs: Schema = {**named, "additionalProperties": {"oneOf": [{"type": "null"}, closed(_declared(define))]}}
    parts = {
        "inputs": {"oneOf": [*_NAMES["oneOf"], inputs], "default": ["inputs"]},
        "nodes": {**named, "minProperties": 1, "additionalProperties": _node(define)},
        "outputs": _NAMES,
    }
    return {**own, "properties": {"type": own["properties"]["type"], **parts}, "required": ["type", "nodes"]}


def _declared(define: Definitions) -> Schema:
    schema = define.options_of(Input)
    del schema["properties"]["name"]  # it is the key that the input stands under
    return {**schema, "required": []}


def _node(define: Definitions) -> Schema:
    """A layer with the names of what feeds it; a graph, which has inputs of its own, stands under `layer`."""
    layers = {name: cls for name, cls in define.layers.items() if cls is not Graph}
    bare, *members = define.one_of(layers, "type", "inputs")["oneOf"]
    inside: Schema = {"properties": {"layer": define.any_layer(), "inputs": _NAMES}, "required": ["layer"]}
    fed: Schema = {"properties": {"inputs": _NAMES}, "oneOf": members}
    return {"oneOf": [bare, {"type": "object", "if": {"required": ["type"]}, "then": fed, "else": closed(inside)}]}
