"""go-metal's checkpoints: a JSON file of a model, its weights, and where training stood.

`{"model_spec": {"layers", "input_shape", ...}, "weights": [{"name", "shape", "data", "layer", "type"}], "training_state",
"optimizer_state", "metadata"}`. Images are (batch, channels, height, width), Dense weights (in, out), and Dense makes one row
of what it gets. Where a weight contradicts the sizes in `model_spec`, the weight counts: go-metal's own demonstration file
has a Dense of 784 inputs with weights for 28, which then act on rows of 28.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import math
from pathlib import Path
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, brief
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.files import read_bytes
from zerfoo_jax.formats.json_text import MAX_TEXT, Fields, parse
from zerfoo_jax.formats.limits import MAX_NODES, MAX_TENSORS, check_count, check_name, check_shape
from zerfoo_jax.formats.parts import Part, building, channels_first, in_a_row
from zerfoo_jax.formats.summary import NodeSummary, Summary, TensorSummary
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, MaxPool2D, Softmax

MAX_FEATURES = 2**20
"""Of a batch normalisation, whose statistics a file may leave out."""
KEYS = ("model_spec", "weights", "training_state", "optimizer_state", "metadata")
MODEL_KEYS = ("layers", "total_parameters", "parameter_shapes", "input_shape", "output_shape", "compiled")
LAYER_KEYS = (
    *("type", "name", "parameters", "input_shape", "output_shape", "parameter_shapes", "parameter_count"),
    "running_statistics",
)
PARAMETER_KEYS = (
    *("input_size", "output_size", "use_bias", "input_channels", "output_channels", "kernel_size", "stride", "padding"),
    *("axis", "negative_slope", "alpha", "rate", "training", "num_features", "eps", "momentum", "affine"),
    *("track_running_stats", "pool_size"),
)

Shape = tuple[int, ...]
Built = tuple[list[Part], Shape]


@dataclass(frozen=True)
class Checkpoint:
    """All of a checkpoint. `training_state`, `metadata` and the optimizer's parameters are as they stand in the file."""

    network: Network
    training_state: Mapping[str, Any]
    metadata: Mapping[str, Any]
    optimizer: str
    """The kind of the optimizer, "" if the file holds none."""
    optimizer_parameters: Mapping[str, Any]
    optimizer_state: Mapping[str, np.ndarray]
    """The optimizer's arrays by name."""


def recognises(head: bytes) -> bool:
    """Whether a file begins as a checkpoint does."""
    return head.lstrip().startswith(b"{") and b'"model_spec"' in head


def read(path: Path) -> Network:
    """The model of a checkpoint. Raises `FormatError` for a file that is damaged or contradicts itself."""
    return read_checkpoint(path).network


def read_checkpoint(path: Path) -> Checkpoint:
    """The model of a checkpoint, and where its training stood."""
    return from_text(read_bytes(path, MAX_TEXT), place=str(path))


def from_text(text: str | bytes, *, place: str = "<text>") -> Checkpoint:
    """As `read_checkpoint`, from a text in memory."""
    given, weights = _parsed(text, place)
    state_keys = ("type", "parameters", "state_data")
    optimizer = Fields.of(given.values.get("optimizer_state") or {}, given.at("optimizer_state"), state_keys)
    arrays = [_tensor(value, inner, ("state_type",)) for value, inner in optimizer.items("state_data")]
    return Checkpoint(
        _network(Fields.of(given.values.get("model_spec"), given.at("model_spec"), MODEL_KEYS), weights),
        _mapping(given, "training_state"),
        _mapping(given, "metadata"),
        optimizer.text("type"),
        _mapping(optimizer, "parameters"),
        {name: array for name, array, _ in arrays},
    )


def summarize(path: Path) -> Summary:
    """The layers, the weights and where training stood."""
    given, weights = _parsed(read_bytes(path, MAX_TEXT), str(path))
    model = Fields.of(given.values.get("model_spec"), given.at("model_spec"), MODEL_KEYS)
    nodes = tuple(
        NodeSummary(layer.text("name"), _kind(layer).name, attributes=_mapping(layer, "parameters")) for layer in _layers(model)
    )
    tensors = tuple(TensorSummary(name, "float32", array.shape, array.nbytes) for name, array in weights.arrays.items())
    facts = {**_mapping(given, "metadata"), **_mapping(given, "training_state")}
    return Summary("go_metal", facts, nodes=nodes, tensors=tensors)


@dataclass(frozen=True)
class _Weights:
    """The arrays by name, and by layer and kind."""

    arrays: Mapping[str, np.ndarray]
    by_kind: Mapping[tuple[str, str], np.ndarray]

    def find(self, layer: Fields, *kinds: str) -> np.ndarray | None:
        """A layer's array of the first of these kinds that there is."""
        name = layer.text("name")
        found = (self.by_kind.get((name, kind), self.arrays.get(f"{name}.{kind}")) for kind in kinds)
        return next((array for array in found if array is not None), None)

    def array(self, layer: Fields, shape: Shape, *kinds: str) -> np.ndarray:
        """A layer's array, which must have this shape."""
        found = self.find(layer, *kinds)
        if found is None:
            raise FormatError(f"the layer {layer.text('name')!r} has no {kinds[0]}", place=layer.place)
        if found.shape != shape:
            raise FormatError(
                f"the {kinds[0]} of {layer.text('name')!r} is of shape {found.shape}, not {shape}", place=layer.place
            )
        return found


def _parsed(text: str | bytes, place: str) -> tuple[Fields, _Weights]:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    given = Fields.of(parse(data, place), place, KEYS)
    items = given.items("weights")
    check_count(len(items), MAX_TENSORS, "weights", given.at("weights"))
    arrays: dict[str, np.ndarray] = {}
    by_kind: dict[tuple[str, str], np.ndarray] = {}
    for value, inner in items:
        name, array, fields = _tensor(value, inner, ("layer", "type"))
        if name in arrays:
            raise FormatError(f"a second weight of the name {name!r}", place=inner)
        arrays[name] = array
        by_kind[fields.text("layer"), fields.text("type")] = array
    return given, _Weights(arrays, by_kind)


def _tensor(value: Any, place: str, more: tuple[str, ...]) -> tuple[str, np.ndarray, Fields]:
    fields = Fields.of(value, place, ("name", "shape", "data", *more))
    name = check_name(fields.values.get("name"), fields.at("name"))
    shape = check_shape(fields.sizes("shape"), fields.at("shape"))
    array = fields.array("data")
    if array.size != math.prod(shape):
        raise FormatError(f"{array.size:,} numbers for the shape {shape}", place=fields.at("data"))
    return name, array.reshape(shape), fields


def _mapping(fields: Fields, name: str) -> Mapping[str, Any]:
    value = fields.values.get(name)
    if value is not None and not isinstance(value, dict):
        raise FormatError(f"expected an object, got {brief(type(value).__name__)}", place=fields.at(name))
    return value or {}


def _layers(model: Fields) -> list[Fields]:
    items = model.items("layers")
    check_count(len(items), MAX_NODES, "layers", model.at("layers"))
    layers = [Fields.of(value, place, LAYER_KEYS) for value, place in items]
    names = [check_name(layer.values.get("name"), layer.at("name")) for layer in layers]
    if not layers or len(set(names)) < len(names):
        raise FormatError("two layers have one name" if layers else "the model has no layers", place=model.at("layers"))
    return layers


def _network(model: Fields, weights: _Weights) -> Network:
    whole = model.sizes("input_shape")
    if len(whole) < 2 or 0 in whole:
        raise FormatError(f"an input of shape {whole}, which should be (batch, ...)", place=model.at("input_shape"))
    check_shape(whole, model.at("input_shape"))
    shape, parts = whole[1:], []
    for layer in _layers(model):
        with building(layer.place):
            options = Fields.of(_mapping(layer, "parameters"), layer.at("parameters"), PARAMETER_KEYS)
            own, shape = _kind(layer).build(layer, options, weights, shape)
        parts += own
    row = in_a_row(parts)
    return Network(row.layer, row.params, row.state, (Spec(whole, "float32"),))


def _bias(layer: Fields, options: Fields, weights: _Weights, size: int) -> dict[str, np.ndarray]:
    wanted = options.flag("use_bias") if options.has("use_bias") else True
    return {"bias": weights.array(layer, (size,), "bias")} if wanted else {}


def _dense(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    kernel = weights.find(layer, "weight")
    if kernel is None or kernel.ndim != 2 or kernel.shape[1] != options.size("output_size"):
        what = "no weight" if kernel is None else f"a weight of shape {kernel.shape}"
        wanted = f"(in, {options.integer('output_size')})"
        raise FormatError(f"the layer {layer.text('name')!r} has {what}, and needs one of shape {wanted}", place=layer.place)
    features, given = kernel.shape
    bias = _bias(layer, options, weights, given)
    part = Part(Dense(given, use_bias=bool(bias)), {"kernel": kernel} | bias)
    if math.prod(shape) == features:
        return [*([Part(Flatten())] if len(shape) > 1 else []), part], (given,)
    if shape[-1] == features:
        return [part], (*shape[:-1], given)
    raise FormatError(f"the layer {layer.text('name')!r} takes {features} numbers, and {shape} arrive", place=layer.place)


def _image(layer: Fields, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise FormatError(f"{layer.text('name')!r} needs (channels, height, width), got {shape}", place=layer.place)
    return shape


def _windows(layer: Fields, shape: Shape, size: int, stride: int, padding: int) -> Shape:
    found = tuple((n + 2 * padding - size) // stride + 1 for n in shape[1:])
    if min(found) < 1:
        raise FormatError(f"a window of {size} does not fit into {shape[1:]}", place=layer.place)
    return found


def _conv2d(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    channels, *_ = _image(layer, shape)
    filters, size = options.size("output_channels"), options.size("kernel_size")
    stride, padding = options.integer("stride", 1), options.integer("padding")
    kernel = weights.array(layer, (filters, channels, size, size), "weight")
    bias = _bias(layer, options, weights, filters)
    edges = ((padding, padding), (padding, padding))
    conv = Conv2D(filters, size, stride, edges, use_bias=bool(bias))
    params = {"kernel": np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))} | bias
    return channels_first([Part(conv, params)], 2), (filters, *_windows(layer, shape, size, stride, padding))


def _max_pool(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    channels, *_ = _image(layer, shape)
    size = options.size("pool_size", "kernel_size")
    stride, padding = options.integer("stride", size), options.integer("padding")
    pool = MaxPool2D(size, stride, ((padding, padding), (padding, padding)))
    return channels_first([Part(pool)], 2), (channels, *_windows(layer, shape, size, stride, padding))


def _batch_norm(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    features = shape[0]
    if options.integer("num_features", features) != features:
        raise FormatError(f"num_features = {options.integer('num_features')}, and {shape} arrive", place=options.place)
    check_count(features, MAX_FEATURES, "features", layer.place)
    place = layer.at("running_statistics")
    statistics = Fields.of(_mapping(layer, "running_statistics"), place, ("running_mean", "running_var"))
    state = {}
    for ours, theirs, default in (("mean", "running_mean", 0.0), ("var", "running_var", 1.0)):
        found = statistics.array(theirs) if statistics.has(theirs) else weights.find(layer, theirs)
        found = np.full(features, default, np.float32) if found is None else found
        if found.shape != (features,):
            raise FormatError(f"{theirs} of shape {found.shape} for {features} features", place=layer.place)
        state[ours] = found
    affine = options.flag("affine") if options.has("affine") else True
    kinds = {"scale": ("weight", "gamma", "scale"), "bias": ("bias", "beta")}
    params = {ours: weights.array(layer, (features,), *names) for ours, names in kinds.items()} if affine else {}
    momentum = 1 - options.number("momentum", 0.1)
    norm = BatchNorm(round(momentum, 7), options.number("eps", 1e-5), use_scale=affine, use_bias=affine)
    part = Part(norm, params, state)
    return (channels_first([part], len(shape) - 1) if len(shape) > 1 else [part]), shape


def _softmax(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    axis = options.values.get("axis", -1)
    if axis in (-1, len(shape)) and type(axis) is int:
        return [Part(Softmax())], shape
    if axis == 1 and type(axis) is int:
        return channels_first([Part(Softmax())], len(shape) - 1), shape
    raise FormatError(f"a softmax along axis {brief(axis)} of {('batch', *shape)}", place=options.at("axis"))


def _dropout(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
    return [Part(Dropout(options.number("rate")))], shape


def _activation(name: str, option: str = "", default: float = 0.0) -> Callable[..., Built]:
    def build(layer: Fields, options: Fields, weights: _Weights, shape: Shape) -> Built:
        function = {"name": name, option: options.number(option, default)} if option else name
        return [Part(Activation(function))], shape

    return build


@dataclass(frozen=True)
class _Kind:
    name: str
    build: Callable[[Fields, Fields, _Weights, Shape], Built]


KINDS = (
    _Kind("Dense", _dense),
    _Kind("Conv2D", _conv2d),
    _Kind("ReLU", _activation("relu")),
    _Kind("Softmax", _softmax),
    _Kind("MaxPool2D", _max_pool),
    _Kind("Dropout", _dropout),
    _Kind("BatchNorm", _batch_norm),
    _Kind("LeakyReLU", _activation("leaky_relu", "negative_slope", 0.01)),
    _Kind("ELU", _activation("elu", "alpha", 1.0)),
    _Kind("Sigmoid", _activation("sigmoid")),
    _Kind("Tanh", _activation("tanh")),
    _Kind("Swish", _activation("silu")),
)
"""The types of layers, by their numbers in a file."""


def _kind(layer: Fields) -> _Kind:
    number = layer.integer("type")
    if number >= len(KINDS):
        known = ", ".join(f"{i} {kind.name}" for i, kind in enumerate(KINDS))
        raise FormatError(f"unknown type {number} of a layer", place=layer.at("type"), fix=f"known: {known}")
    return KINDS[number]
