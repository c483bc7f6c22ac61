"""Models as YAML and JSON text: every layer of the tables, and back without loss.

The mapping inside is the one that configs hold; see `graph.spec` for graphs. Text is untrusted: it is read within the limits of
config files (1 MiB, 20,000 keys and values, 64 levels), and what is over them is not written either.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zerfoo_jax.config import strict_json, yaml
from zerfoo_jax.config.load import Places
from zerfoo_jax.config.yaml import Document
from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.layer import MODEL, Layer
from zerfoo_jax.core.spec import Table, layer_to_spec, read_layer
from zerfoo_jax.graph.model_spec import TABLE, model_from_spec


def from_yaml(text: str, name: str = "<text>", table: Table = TABLE) -> Layer:
    """The model of layers of `table` that a YAML text describes.

    Raises one `ConfigError` with every problem and its `name:line:column`.

    >>> from_yaml("{type: Sequential, layers: [Flatten, {type: Dense, features: 3}]}")
    Sequential(layers=(Flatten(), Dense(features=3, use_bias=True, kernel_init='lecun_normal', bias_init='zeros')))
    """
    return _model(yaml.parse(text, name), name, table)


def from_json(text: str, name: str = "<text>", table: Table = TABLE) -> Layer:
    """The model of layers of `table` that a JSON text describes.

    Raises one `ConfigError` with every problem and its place in the model.

    >>> from_json('{"type": "Dense", "features": 3}').features
    3
    """
    return _model(Document(strict_json.parse(text, name)), name, table)


def read_model(path: Path) -> Layer:
    """The model in a `.yaml`, `.yml` or `.json` file; raises as `from_yaml` and `from_json` do."""
    readers = {".json": from_json, ".yaml": from_yaml, ".yml": from_yaml}
    if path.suffix not in readers:
        raise ConfigError(f"{path.name!r} is no model file", place=str(path), fix=f"use one of {', '.join(readers)}")
    return readers[path.suffix](yaml.read_text(path), str(path))


def to_yaml(model: Layer, table: Table = TABLE) -> str:
    """The text that `from_yaml` turns back into an equal model.

    Raises `ConfigError` for a model that no text describes: with a layer that is in no table, or too large.

    >>> from zerfoo_jax.layers import Dense
    >>> to_yaml(Dense(3, kernel_init={"name": "normal", "stddev": 0.02}))
    'type: Dense\\nfeatures: 3\\nkernel_init:\\n  name: normal\\n  stddev: 0.02\\n'
    """
    return _written(model, yaml.dump, table)


def to_json(model: Layer, table: Table = TABLE) -> str:
    """The text that `from_json` turns back into an equal model; raises as `to_yaml` does."""
    return _written(model, strict_json.dump, table)


def _model(document: Document, name: str, table: Table) -> Layer:
    places = Places(replace(document, places={(MODEL, *path): place for path, place in document.places.items()}), name)
    try:
        return model_from_spec(document.value, table=table)[0]
    except ConfigError as error:
        raise places.locate(error) from None


def _written(model: Layer, dump: Callable[[dict], str], table: Table) -> str:
    try:
        spec = layer_to_spec(model)
    except RecursionError as error:
        raise ConfigError("the layers are nested too deep", place=MODEL, fix="use Stack or a graph") from error
    strict_json.expect_bounded(spec, MODEL)
    problems: list[Problem] = []
    if read_layer(spec, table, MODEL, problems) != model or problems:
        found = problems or [Problem("some layer holds what no text describes", MODEL)]
        raise ConfigError([replace(found[0], fix="write it as Python, or leave the layer out"), *found[1:]])
    text = dump(spec)
    yaml.expect_short(text, MODEL)
    return text
