"""The layers of first-generation bundles: a definition and its weights, made one of our layers.

LOOM reads "linear" as its ReLU (the fault is LOOM's: it writes it for layers that have none), ignores which distance a KMeans
names, has sparse softmaxes that do not sum to one, and gives every branch the same weight where a bundle holds no gate.
Reading with `loom` does so as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
import math
from typing import Any

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.spec import NamedOrMapping
from zerfoo_jax.formats.json_text import Fields
from zerfoo_jax.formats.limits import MAX_DEPTH, check_count
from zerfoo_jax.formats.loom import native, softmax
from zerfoo_jax.formats.loom.flow import Built, Shape, exactly, first_taken, flat
from zerfoo_jax.formats.loom.weights import LayerWeights
from zerfoo_jax.formats.parts import Part, building, chain, in_a_row
from zerfoo_jax.layers import Embedding, MixtureOfExperts

LEAKY: NamedOrMapping = {"name": "leaky_relu", "negative_slope": 0.1}
ACTIVATIONS: dict[str, NamedOrMapping] = {
    "gelu": "gelu_tanh",
    "leaky_relu": LEAKY,
    "linear": "linear",
    "relu": "scaled_relu",
    "scaled_relu": "scaled_relu",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "tanh": "tanh",
}
KEYS = (
    "type activation width height input_size output_size input_channels filters kernel_size stride padding "
    "input_depth input_height input_width output_depth output_height output_width d_model num_heads num_kv_heads "
    f"seq_length rope_freq_base hidden_size softmax_variant {' '.join(softmax.KEYS)} norm_size epsilon vocab_size "
    "embedding_dim input_length branches combine_mode grid_positions grid_output_rows grid_output_cols grid_output_layers "
    "filter_gate filter_softmax filter_temperature num_clusters distance_metric kmeans_temperature kmeans_output_mode "
    "kmeans_learning_rate cluster_dim attached_layer"
).split()
"""The fields of a definition, in the order in which LOOM writes them."""


@dataclass(frozen=True)
class Definition:
    """One layer of a bundle: its fields, its weights, whether to follow LOOM's faults, how deep inside others it is."""

    given: Fields
    weights: LayerWeights
    loom: bool
    depth: int = 0

    @classmethod
    def of(cls, value: Any, place: str, weights: LayerWeights, loom: bool, depth: int = 0) -> "Definition":
        """A definition as it stands in the file."""
        check_count(depth, MAX_DEPTH, "layers within layers", place)
        return cls(Fields.of(value, place, KEYS), weights, loom, depth)

    @property
    def kind(self) -> "Kind":
        """The member of `KINDS` that the type names."""
        return self.given.choice("type", KINDS)

    @property
    def function(self) -> NamedOrMapping:
        """The activation, "relu" if none is named."""
        name = self.given.text("activation") or "relu"
        if self.loom and (name == "linear" or name not in ACTIVATIONS):
            return "scaled_relu"
        return self.given.choice("activation", ACTIVATIONS, "relu")

    def inner(self) -> "list[Definition]":
        """The branches."""
        items = self.given.items("branches")
        if not items and self.given.has("attached_layer"):
            items = [(self.given.values["attached_layer"], self.given.at("attached_layer"))]
        pairs = zip(items, self.weights.inner(len(items)), strict=True)
        return [Definition.of(value, place, weights, self.loom, self.depth + 1) for (value, place), weights in pairs]

    def build(self, shape: Shape) -> Built:
        """The layer, for what arrives."""
        with building(self.given.place):
            return self.kind.build(self, shape)


@dataclass(frozen=True)
class Kind:
    """How a type is built, and what a network that begins with it takes: a shape, or None where that is any.

    What `keeps` the shape may take more such rows, if what follows it does.
    """

    build: Callable[[Definition, Shape], Built]
    takes: Callable[[Definition], Shape]
    keeps: bool = False


def in_sequence(definitions: list[Definition], shape: Shape) -> Built:
    """The layers one after another."""
    residual = [one.given.text("type") == "residual" for one in definitions]
    steps = [(None if adds else one.build, one.given.place) for one, adds in zip(definitions, residual, strict=True)]
    return native.sequence(steps, shape)


def takes(definitions: list[Definition]) -> Shape:
    """The shape of what layers that follow each other take."""
    return first_taken((one.kind.takes(one), one.kind.keeps) for one in definitions)


def _sizes(d: Definition, *inputs: str) -> int:
    return d.given.size(*inputs)


def _dense_in(d: Definition) -> int:
    # LOOM writes width and height as 1, whatever the layer's are.
    return _sizes(d, "input_height", "input_size", "width")


def _dense(d: Definition, shape: Shape) -> Built:
    features, given = _dense_in(d), _sizes(d, "output_height", "output_size", "height")
    kernel = d.weights.array("kernel", features, given)
    bias = d.weights.array("biases", given, optional=True)
    return native.dense(shape, kernel, bias, d.function, d.given.place)


def _spatial(d: Definition, axes: int) -> tuple[int, ...]:
    if axes == 1:
        return (_sizes(d, "input_length", "input_height"),)
    return tuple(_sizes(d, f"input_{name}") for name in ("depth", "height", "width")[3 - axes :])


def _convolution(axes: int) -> Kind:
    kernel_name, bias_name = ("conv3d_kernel", "conv3d_bias") if axes == 3 else ("kernel", "conv_bias")

    def build(d: Definition, shape: Shape) -> Built:
        channels, filters, size = (_sizes(d, name) for name in ("input_channels", "filters", "kernel_size"))
        kernel = d.weights.array(kernel_name, filters, channels, *(size,) * axes)
        # LOOM's version 2 has the bias of a convolution under the name of Dense's.
        bias = d.weights.array("biases" if d.weights.has("biases") else bias_name, filters, optional=True)
        stride, padding, place = d.given.integer("stride", 1), d.given.integer("padding"), d.given.place
        built = native.convolution(shape, _spatial(d, axes), kernel, bias, stride, padding, d.function, place)
        _expect_output(d, axes, built[1] or ())
        return built

    return Kind(build, lambda d: (_sizes(d, "input_channels"), *_spatial(d, axes)))


def _expect_output(d: Definition, axes: int, found: tuple[int, ...]) -> None:
    names = [f"output_{name}" for name in ("depth", "height", "width")[3 - axes :]] if axes > 1 else []
    for name, size in zip(names, found[1:], strict=bool(names)):
        if d.given.integer(name, size) != size:
            raise FormatError(f"{name} = {d.given.integer(name)}, and the convolution gives {size}", place=d.given.at(name))


def _length(d: Definition) -> int:
    return d.given.integer("seq_length", 1)


def _rnn(d: Definition, shape: Shape) -> Built:
    features, hidden = _sizes(d, "input_size"), _sizes(d, "hidden_size")
    arrays = (
        d.weights.array("weight_ih", hidden, features),
        d.weights.array("weight_hh", hidden, hidden),
        d.weights.array("bias_h", hidden, optional=True),
    )
    return native.recurrent(shape, _length(d), [arrays], relu=False, place=d.given.place)


def _lstm(d: Definition, shape: Shape) -> Built:
    features, hidden = _sizes(d, "input_size"), _sizes(d, "hidden_size")
    gates = [
        (
            d.weights.array(f"weight_i{gate}", hidden, features),
            d.weights.array(f"weight_h{gate}", hidden, hidden),
            d.weights.array(f"bias_{gate}", hidden, optional=True),
        )
        for gate in "ifgo"
    ]
    return native.recurrent(shape, _length(d), gates, relu=False, place=d.given.place)


def _attention(d: Definition, shape: Shape) -> Built:
    features, heads = _sizes(d, "d_model"), d.given.integer("num_heads", 8)
    if features % heads:
        raise FormatError(f"{features} features do not divide among {heads} heads", place=d.given.place)
    head_dim = features // heads
    kv_heads = d.given.integer("num_kv_heads", _kv_width(d, features) // head_dim, least=1)
    widths = {"q": features, "k": kv_heads * head_dim, "v": kv_heads * head_dim}
    projections = {
        ours: _projection(d, f"{name}_weights", f"{name}_bias", features, widths[name])
        for name, ours in {"q": "query", "k": "key", "v": "value"}.items()
    }
    projections["out"] = _projection(d, "output_weight", "output_bias", features, features)
    base = d.given.number("rope_freq_base", 10000.0)
    length = _length(d)
    arrived = (length, features) if shape == (length * features,) else shape
    parts = exactly(shape, arrived, d.given.place) if arrived is not None and arrived != shape else []
    built, given = native.attention(arrived, heads, kv_heads, head_dim, base, projections, d.given.place)
    return parts + built, given


def _kv_width(d: Definition, features: int) -> int:
    """How wide keys are: no field says it, so the weights must."""
    name = "k_weights"
    return d.weights.count(d.weights.fields, name) // features if d.weights.has(name) else features


def _projection(d: Definition, kernel: str, bias: str, features: int, width: int) -> native.Weights:
    return {"kernel": d.weights.array(kernel, features, width), "bias": d.weights.array(bias, width, optional=True)}


def _softmax(d: Definition, shape: Shape) -> Built:
    parts, shape = flat(shape)
    variant = d.given.choice("softmax_variant", {name: name for name in softmax.VARIANTS}, "standard")
    wanted = softmax.width(d.given, variant)
    if shape is not None and wanted not in (None, shape[0]):
        raise FormatError(f"a softmax over {wanted} numbers, and {shape[0]} arrive", place=d.given.place)
    return [*parts, Part(softmax.softmax(d.given, variant, d.loom))], shape


def _norm_size(d: Definition, shape: Shape) -> int:
    size = d.given.integer("norm_size")
    if not size and shape is None:
        raise FormatError("nothing says how many numbers are normalised", place=d.given.at("norm_size"))
    return size or math.prod(shape or ())


def _layer_norm(d: Definition, shape: Shape) -> Built:
    size = _norm_size(d, shape)
    gamma, beta = d.weights.array("gamma", size), d.weights.array("beta", size, optional=True)
    return native.layer_norm(shape, gamma, beta, d.given.number("epsilon", 1e-5), d.given.place)


def _rms_norm(d: Definition, shape: Shape) -> Built:
    gamma = d.weights.array("gamma", _norm_size(d, shape))
    return native.rms_norm(shape, gamma, d.given.number("epsilon", 1e-6), d.given.place)


def _swiglu(d: Definition, shape: Shape) -> Built:
    features, hidden = _sizes(d, "input_height", "input_size"), _sizes(d, "output_height", "output_size")
    gate, up = (_projection(d, f"{name}_weights", f"{name}_bias", features, hidden) for name in ("gate", "up"))
    down = _projection(d, "down_weights", "down_bias", hidden, features)
    return native.swiglu(shape, gate, up, down, d.given.place)


def _embedding(d: Definition, shape: Shape) -> Built:
    vocabulary, features = _sizes(d, "vocab_size"), _sizes(d, "embedding_dim")
    table = d.weights.array("embedding_weights", vocabulary, features)
    if shape is not None and len(shape) != 1:
        raise FormatError(f"an embedding takes a row of token numbers, and {shape} arrive", place=d.given.place)
    return [Part(Embedding(vocabulary, features), {"embedding": table})], (*(shape or (1,)), features)


def _sequential(d: Definition, shape: Shape) -> Built:
    parts, given = in_sequence(d.inner(), shape)
    return [in_a_row(parts)], given


COMBINATIONS = {"": "concat", "add": "add", "average": "average", "avg": "average", "concat": "concat"} | {
    name: name for name in ("filter", "grid_scatter")
}


def _parallel(d: Definition, shape: Shape) -> Built:
    combine = d.given.choice("combine_mode", COMBINATIONS)
    inner = d.inner()
    branches = [one.build(shape) for one in inner]
    if combine == "filter":
        return _filter(d, shape, branches)
    return native.parallel(branches, combine, d.given.place, _positions(d, len(inner)) if combine == "grid_scatter" else None)


def _positions(d: Definition, branches: int) -> dict[str, Any]:
    keys = ("branch_index", "target_row", "target_col", "target_layer")
    cells = [Fields.of(value, place, keys) for value, place in d.given.items("grid_positions")]
    by_branch = {cell.integer(keys[0]): tuple(cell.integer(key) for key in keys[1:]) for cell in cells}
    if len(cells) != branches or sorted(by_branch) != list(range(branches)):
        raise FormatError(f"{len(cells)} positions for {branches} branches", place=d.given.at("grid_positions"))
    sizes = {"rows": "grid_output_rows", "columns": "grid_output_cols", "layers": "grid_output_layers"}
    limits = {name: d.given.integer(key, 1) for name, key in sizes.items()}
    return limits | {"positions": tuple(by_branch[i] for i in range(branches))}


def _filter(d: Definition, shape: Shape, branches: list[Built]) -> Built:
    """Branches weighed by a softmax of a gate, or all alike where the file holds no gate: LOOM saves none."""
    if d.loom or not d.given.has("filter_gate") or not d.weights.has("filter_gate"):
        return native.parallel(branches, "average", d.given.place)
    d.given.choice("filter_softmax", dict.fromkeys(("standard", "temperature")), "standard")
    gate = Definition.of(d.given.values["filter_gate"], d.given.at("filter_gate"), d.weights.gate(), d.loom, d.depth + 1)
    plain, given = native.parallel(branches, "average", d.given.place)
    parallel = plain[0]
    parts, shape = flat(shape)
    gating, width = gate.build(shape)
    if width != (len(branches),):
        raise FormatError(f"a gate of {width} for {len(branches)} branches", place=gate.given.place)
    one = chain(gating)
    temperature = d.given.number("filter_temperature", 1.0)
    experts = tuple(parallel.layer.branches)  # pyright: ignore[reportAttributeAccessIssue]
    layer = MixtureOfExperts(experts, temperature=temperature, pad=True, gate=one.layer)
    named = {name.replace("branch", "expert"): value for name, value in parallel.params.items()}
    return [*parts, Part(layer, {"gate": one.params, **named})], given


def _kmeans(d: Definition, shape: Shape) -> Built:
    inner = d.inner()
    parts, shape = in_sequence(inner, shape)
    clusters, features = _sizes(d, "num_clusters"), d.given.integer("cluster_dim")
    features = features or (shape[-1] if shape else 0)
    if not d.weights.has("cluster_centers"):
        cause = "the clusters have no centres: LOOM makes them when the layer first runs"
        raise FormatError(cause, place=d.weights.fields.place, fix="run the network there once before it is saved")
    centers = d.weights.array("cluster_centers", clusters, features)
    distances = {name: name for name in ("euclidean", "manhattan", "cosine")}
    distance = "euclidean" if d.loom else d.given.choice("distance_metric", distances, "euclidean")
    output = d.given.choice("kmeans_output_mode", {name: name for name in ("probabilities", "features")}, "probabilities")
    temperature = d.given.number("kmeans_temperature", 1.0)
    built, given = native.kmeans(shape, centers, temperature, output, distance, d.given.place)
    return parts + built, given


def _first(d: Definition) -> Shape:
    return takes(d.inner())


def _rows_of(*names: str) -> Callable[[Definition], Shape]:
    return lambda d: (_sizes(d, *names),)


def _any_or(size: Callable[[Definition], int | None]) -> Callable[[Definition], Shape]:
    def found(d: Definition) -> Shape:
        width = size(d)
        return (width,) if width else None

    return found


def _softmax_width(d: Definition) -> int | None:
    return softmax.width(d.given, d.given.text("softmax_variant"))


def _steps_of(name: str) -> Callable[[Definition], Shape]:
    return lambda d: (_length(d), _sizes(d, name))


_ATTENTION = Kind(_attention, _steps_of("d_model"), keeps=True)
_NORM = _any_or(lambda d: d.given.integer("norm_size"))
KINDS: dict[str, Kind] = {
    "conv1d": _convolution(1),
    "conv2d": _convolution(2),
    "conv3d": _convolution(3),
    "dense": Kind(_dense, lambda d: (_dense_in(d),)),
    "embedding": Kind(_embedding, lambda d: (_length(d),)),
    "kmeans": Kind(_kmeans, lambda d: _first(d) or _any_or(lambda d: d.given.integer("cluster_dim"))(d)),
    "layer_norm": Kind(_layer_norm, _NORM, keeps=True),
    "layernorm": Kind(_layer_norm, _NORM, keeps=True),
    "lstm": Kind(_lstm, _steps_of("input_size")),
    "mha": _ATTENTION,
    "multi_head_attention": _ATTENTION,
    "parallel": Kind(_parallel, _first),
    "residual": Kind(lambda d, shape: ([], shape), lambda d: None, keeps=True),
    "rms_norm": Kind(_rms_norm, _NORM, keeps=True),
    "rmsnorm": Kind(_rms_norm, _NORM, keeps=True),
    "rnn": Kind(_rnn, _steps_of("input_size")),
    "sequential": Kind(_sequential, _first),
    "softmax": Kind(_softmax, _any_or(_softmax_width), keeps=True),
    "swiglu": Kind(_swiglu, _rows_of("input_height", "input_size"), keeps=True),
}
"""The types of layers, by their names in a file."""
