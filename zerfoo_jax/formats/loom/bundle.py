"""LOOM's first generation: a JSON file of one or more models, its weights inside as base64.

`{"type": "modelhost/bundle", "version", "models": [{"id", "cfg", "weights": {"fmt", "data"}}]}`. The layers stand in a grid of
`grid_rows` x `grid_cols` cells of `layers_per_cell` layers and run one after another, row by row. Version 1 has the weights
as JSON numbers, version 2 as codes of some number type, see `numbers`.

What flows between layers is in LOOM's order, images as (channels, height, width): the network takes what LOOM takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zerfoo_jax.core.errors import ConfigError, FormatError, brief, nearest
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.files import read_bytes, write_whole
from zerfoo_jax.formats.json_text import MAX_TEXT, Fields, from_base64, parse
from zerfoo_jax.formats.limits import MAX_NODES, check_count, check_name, check_shape
from zerfoo_jax.formats.loom.compatibility import Compatibility, is_loom
from zerfoo_jax.formats.loom.definitions import Definition, in_sequence, takes
from zerfoo_jax.formats.loom.flow import start
from zerfoo_jax.formats.loom.numbers import NUMBERS
from zerfoo_jax.formats.loom.weights import ARRAYS, LayerWeights
from zerfoo_jax.formats.loom.writing import bundle_text
from zerfoo_jax.formats.parts import in_a_row
from zerfoo_jax.formats.summary import NodeSummary, Summary, TensorSummary
from zerfoo_jax.graph.editing.network import Network

TYPE = "modelhost/bundle"


def recognises(head: bytes) -> bool:
    """Whether a file begins as a bundle does."""
    return head.lstrip().startswith(b"{") and TYPE.encode() in head


def read(path: Path, *, id: str | None = None, compatibility: Compatibility | None = None) -> Network:
    """The model of that id, or the only one. `compatibility="loom"` keeps LOOM's faults, see `definitions` and `softmax`.

    Raises `FormatError` for a file that is no bundle, does not hold the model, or contradicts itself.
    """
    return from_text(read_bytes(path, MAX_TEXT), id=id, compatibility=compatibility, place=str(path))


def from_text(
    text: str | bytes, *, id: str | None = None, compatibility: Compatibility | None = None, place: str = "<text>"
) -> Network:
    """As `read`, from a bundle in memory."""
    loom = is_loom(compatibility)
    models = _models(text, place)[1]
    if id is None and len(models) > 1:
        raise FormatError(f"the file holds {len(models)} models", place=place, fix=f"name one as id: {brief(list(models))}")
    if id is not None and id not in models:
        raise FormatError(f"no model has the id {brief(id)}", place=place, fix=nearest(id, models))
    return _network(_model(models[id] if id is not None else next(iter(models.values()))), loom)


def write(
    network: Network | Mapping[str, Network],
    path: Path,
    *,
    id: str = "network",
    dtype: str | None = None,
    grid: tuple[int, int] = (1, 1),
    compatibility: Compatibility | None = None,
) -> None:
    """Writes one network, or several by their ids. See `to_text`."""
    text = to_text(network, id=id, dtype=dtype, grid=grid, compatibility=compatibility)
    with write_whole(path) as file:
        file.write(text.encode())


def to_text(
    network: Network | Mapping[str, Network],
    *,
    id: str = "network",
    dtype: str | None = None,
    grid: tuple[int, int] = (1, 1),
    compatibility: Compatibility | None = None,
) -> str:
    """The bundle of a network as text. With `dtype`, one of `NUMBERS`, it is of version 2;
    `grid` is the rows and columns of cells that the layers are dealt out to.

    The network must take and give one array, its layers one after another; each must have a form in LOOM, or all that have
    none are named in one `FormatError`. Convolutions at the beginning take (channels, *spatial) in the file. Written with
    `compatibility="loom"`, codes are cut off as LOOM does it, gates are left out, and what LOOM would read as something else
    has no form: the linear activation.
    """
    loom = is_loom(compatibility)
    if dtype is not None and dtype not in NUMBERS:
        raise ConfigError(f"unknown dtype {dtype!r}", place="dtype", fix=nearest(dtype, NUMBERS))
    networks = {id: network} if isinstance(network, Network) else network
    for name in networks:
        check_name(name, "id")
    return bundle_text(networks, dtype, loom, grid)


def summarize(path: Path) -> Summary:
    """The models' layers and arrays."""
    version, models = _models(read_bytes(path, MAX_TEXT), str(path))
    nodes: list[NodeSummary] = []
    tensors: list[TensorSummary] = []
    for name, fields in models.items():
        model = _model(fields)
        for i, layer in enumerate(model.layers):
            given = layer.given.values
            attributes = {key: value for key, value in given.items() if key not in ("type", "branches")}
            nodes.append(NodeSummary(f"{name}.{i}", layer.given.text("type"), attributes=attributes))
            tensors += _tensors(f"{name}.{i}", layer.weights, model.dtype)
    facts = {"version": version, "models": list(models)}
    return Summary("loom", facts, nodes=tuple(nodes), tensors=tuple(tensors))


def _tensors(name: str, weights: LayerWeights, dtype: str) -> list[TensorSummary]:
    found = []
    for array in (*ARRAYS, "cluster_centers"):
        if weights.has(array):
            count = weights.count(weights.fields, array)
            found.append(TensorSummary(f"{name}.{array}", dtype, (count,), NUMBERS[dtype].size(count)))
    for value, place in weights.fields.items("branch_weights"):
        found += _tensors(f"{name}.{place.rsplit('.', 1)[-1]}", weights.of(value, place), dtype)
    return found


@dataclass(frozen=True)
class _Model:
    """One model of a bundle, its layers read but not built."""

    place: str
    dtype: str
    batch: int
    layers: list[Definition]


def _models(text: str | bytes, place: str) -> tuple[int, dict[str, Fields]]:
    """The version, and the models by id, of which nothing has been decoded yet."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    given = Fields.of(parse(data, place), place, ("type", "version", "models"))
    if given.text("type") != TYPE:
        raise FormatError(f"the type is {brief(given.text('type'))}", place=given.at("type"), fix=f"a bundle's is {TYPE!r}")
    version = given.integer("version", 1)
    if version > 2:
        raise FormatError(f"version {version}, and the newest known is 2", place=given.at("version"))
    items = given.items("models")
    if not items:
        raise FormatError("the bundle holds no model", place=given.at("models"))
    check_count(len(items), MAX_NODES, "models", given.at("models"))
    found: dict[str, Fields] = {}
    for value, inner in items:
        model = Fields.of(value, inner, ("id", "cfg", "weights"))
        name = check_name(model.values.get("id"), model.at("id"))
        if name in found:
            raise FormatError(f"two models have the id {name!r}", place=model.at("id"))
        found[name] = model
    return version, found


def _model(model: Fields) -> _Model:
    config_keys = ("id", "dtype", "batch_size", "grid_rows", "grid_cols", "layers_per_cell", "layers", "seed")
    config = Fields.of(model.values.get("cfg"), model.at("cfg"), config_keys)
    weights, dtype = _weights(Fields.of(model.values.get("weights"), model.at("weights"), ("fmt", "data")))
    layers = config.items("layers")
    check_count(len(layers), MAX_NODES, "layers", config.at("layers"))
    grid = [config.size(name) for name in ("grid_rows", "grid_cols", "layers_per_cell")]
    if grid[0] * grid[1] * grid[2] != len(layers):
        raise FormatError(f"{len(layers)} layers in a grid of {' x '.join(map(str, grid))}", place=config.at("layers"))
    if len(weights) != len(layers):
        raise FormatError(f"weights of {len(weights)} layers, where there are {len(layers)}", place=model.at("weights"))
    definitions = [Definition.of(value, place, own, loom=False) for (value, place), own in zip(layers, weights, strict=True)]
    return _Model(model.place, dtype, config.integer("batch_size", 1), definitions)


def _weights(encoded: Fields) -> tuple[list[LayerWeights], str]:
    """Every layer's weights, and the type of number that they are stored in."""
    form, place = encoded.text("fmt"), encoded.at("data")
    if form not in ("jsonModelB64", "multiPrecisionB64"):
        known = nearest(form, ["jsonModelB64", "multiPrecisionB64"])
        raise FormatError(f"unknown fmt {brief(form)}", place=encoded.at("fmt"), fix=known)
    value = parse(from_base64(encoded.text("data"), place), place)
    if form == "jsonModelB64":
        data = Fields.of(value, place, ("type", "dtype", "layers"))
        if data.text("type", "float32") not in ("float32", ""):
            raise FormatError(f"weights of type {brief(data.text('type'))}", place=data.at("type"), fix="known: float32")
        return [LayerWeights.plain(layer, inner) for layer, inner in data.items("layers")], "float32"
    data = Fields.of(value, place, ("dtype", "scale", "layers"))
    data.choice("dtype", NUMBERS, "float32")
    dtype, scale = data.text("dtype") or "float32", data.number("scale", 1.0)
    if scale <= 0:
        raise FormatError(f"a scale of {scale:g}", place=data.at("scale"))
    return [LayerWeights.coded(layer, inner, dtype, scale) for layer, inner in data.items("layers")], dtype


def _network(model: _Model, loom: bool) -> Network:
    layers = [Definition(one.given, one.weights, loom) for one in model.layers]
    shape = takes(layers)
    parts, _ = in_sequence(layers, shape)
    shape = shape or (1,)
    whole = in_a_row([*start(shape), *parts])
    shape = check_shape((model.batch, *shape), model.place)
    dtype = "int32" if takes_tokens(layers[0]) else "float32"
    return Network(whole.layer, whole.params, whole.state, (Spec(shape, dtype),))


def takes_tokens(layer: Definition) -> bool:
    """Whether a layer's input is numbers of tokens."""
    inner = layer.inner()
    return layer.given.text("type") == "embedding" or (bool(inner) and takes_tokens(inner[0]))
