"""What a command line means by MODEL: a config, a model file, an architecture by name, or a run folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re
from typing import Any

from zerfoo_jax.config.load import Places
from zerfoo_jax.config.merge import gather, lay_over
from zerfoo_jax.config.yaml import Document
from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.core.layer import Layer, Walk, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.experiment.folder import existing
from zerfoo_jax.experiment.packaged import packaged_configs
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.wiring import wire
from zerfoo_jax.formats import detect_if_known
from zerfoo_jax.formats.operators.layers import LAYERS_AND_OPERATORS
from zerfoo_jax.graph import Graph, Input
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.graph.places import config_path
from zerfoo_jax.models import MODELS, TYPICAL_INPUTS, model_from_config


@dataclass(frozen=True)
class OpenedModel:
    """A model with the shapes and dtypes of its inputs, batch size 1 where they leave it open, and the walk over it."""

    name: str
    model: Layer
    specs: tuple[Spec, ...]
    walk: Walk


def open_model(source: str, overrides: Iterable[str] = (), inputs: Sequence[str] = ()) -> OpenedModel:
    """The checked model that `source` names.

    A config or a run folder brings its data's input shape, a file of `formats` its own. A model's description (a mapping with
    `nodes`, `type`, or `name` of an architecture) or an architecture's name takes its graph's declared inputs, the
    architecture's usual ones, or `inputs`: texts such as `1,224,224,3` or `1,16:int32`, one per input. `overrides` are
    `key=value` settings over the config, or the options of the architecture. Raises `ConfigError` for whatever cannot be found
    or does not fit together, and `FormatError` for a bad model file.
    """
    found = _look_up(source)
    if isinstance(found, Path):
        return _of_experiment(found, overrides, inputs)
    if isinstance(found, Network):
        return _of_file(Path(source).name, found, overrides, inputs)
    document = lay_over(found, overrides)
    model = _model(document, source)
    shapes = tuple(map(_input, inputs)) or _declared(model) or _typical(document.value)
    if not shapes:
        raise ConfigError(f"the shape of the inputs of {source!r} is not known", fix="give it: --input 1,28,28,1")
    return _checked(Path(source).stem, model, shapes, _places(document, source))


def read_model(source: str, overrides: Iterable[str] = ()) -> Layer:
    """As `open_model`, but only the model: needs no shapes of inputs, and does not look for faults that depend on them."""
    found = _look_up(source)
    if isinstance(found, Path):
        return open_model(source, overrides).model
    if isinstance(found, Network):
        return found.model
    return _model(lay_over(found, overrides), source)


def _look_up(source: str) -> Path | Document | Network:
    """The config of the experiment that `source` names, the document of a bare model, or the network in a file of one."""
    path = Path(source)
    if path.is_dir():
        return existing(path).config
    if path.is_file():
        known = detect_if_known(path)
        if known is not None:
            return known.call("read", path)
        document = gather(path)
        return path if "model" in document.value and "data" in document.value else document
    if source in MODELS:
        return Document({"name": source})
    if source in packaged_configs():
        return packaged_configs()[source]
    known = {*packaged_configs(), *MODELS}
    raise ConfigError(f"no file, run folder, packaged config or architecture {source!r}", fix=nearest(source, known))


def _model(document: Document, source: str) -> Layer:
    try:
        return model_from_config(document.value, None, table=LAYERS_AND_OPERATORS)[0]
    except ConfigError as error:
        raise _places(document, source).locate(error) from None


def _places(document: Document, source: str) -> Places:
    """Places of a document that is a model section by itself."""
    return Places(replace(document, places={("model", *path): place for path, place in document.places.items()}), source)


def _of_experiment(config: Path, overrides: Iterable[str], inputs: Sequence[str]) -> OpenedModel:
    checked, places = read_config(config, overrides)
    wired = wire(checked, places)
    if inputs:
        return _checked(checked.name, wired.model, tuple(map(_input, inputs)), places)
    return OpenedModel(checked.name, wired.model, (wired.input_spec,), wired.walk)


def _of_file(name: str, network: Network, overrides: Iterable[str], inputs: Sequence[str]) -> OpenedModel:
    given = list(overrides)
    if given:
        raise ConfigError(f"{given[0]!r}: {name!r} is a finished model, without settings", fix="leave it out")
    specs = tuple(map(_input, inputs)) or network.specs
    return _checked(name, network.model, specs, Places(Document({}), name))


def _checked(name: str, model: Layer, specs: tuple[Spec, ...], places: Places) -> OpenedModel:
    result = walk(model, *specs)
    if result.problems:
        inside = [replace(p, place=config_path(model, p.place)) for p in result.problems]
        raise places.locate(ConfigError(inside), "model")
    return OpenedModel(name, model, specs, result)


def _declared(model: Layer) -> tuple[Spec, ...]:
    """The inputs that a graph declares, all with as many rows as one of them asks for; none where it leaves one open."""
    inputs = model.declared() if isinstance(model, Graph) else ()
    rows = next((one.shape[0] for one in inputs if one.shape and one.shape[0]), 1)
    return () if any(one.shape is None for one in inputs) else tuple(one.spec(any_size=rows) for one in inputs)


def _typical(section: Mapping[str, Any]) -> tuple[Spec, ...]:
    """The inputs that an architecture's options say, or its usual ones; none for other models."""
    if "name" not in section:
        return ()
    if "image_shape" in section:
        return (Spec((1, *section["image_shape"]), "float32"),)
    if "image_size" in section:
        return (Spec((1, section["image_size"], section["image_size"], 3), "float32"),)
    return TYPICAL_INPUTS.get(section["name"], ())


def _input(text: str) -> Spec:
    """The shape and dtype that a text such as `1,16:int32` gives."""
    sizes, _, dtype = text.partition(":")
    if not re.fullmatch(r"\d+(,\d+)*", sizes):
        raise ConfigError(f"--input {text!r} is no shape", fix="such as 1,28,28,1 or 1,16:int32")
    return Input("--input", tuple(map(int, sizes.split(","))), dtype or "float32").spec()
