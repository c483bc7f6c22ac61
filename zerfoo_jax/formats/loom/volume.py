"""The layers of LOOM's second generation, which stand in a grid of depth x rows x columns cells and run one after another.

Their weights are one array each, Dense's as (out, in). A residual layer adds what the layer before it took; LOOM's gives what
it gets, as it is never told that, and so does reading with `loom`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError, brief, nearest
from zerfoo_jax.core.spec import NamedOrMapping
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.json_text import Fields
from zerfoo_jax.formats.limits import MAX_DEPTH, MAX_NODES, check_count, check_shape
from zerfoo_jax.formats.loom import native, softmax
from zerfoo_jax.formats.loom.flow import Built, Shape, first_taken, flat, start
from zerfoo_jax.formats.loom.packing import PACKINGS
from zerfoo_jax.formats.parts import Part, building, in_a_row
from zerfoo_jax.formats.summary import NodeSummary, TensorSummary
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.layers import Embedding, Softmax

ACTIVATIONS: dict[str, NamedOrMapping] = {
    "GELU": "gelu_tanh",
    "LeakyReLU": {"name": "leaky_relu", "negative_slope": 0.01},
    "Linear": "linear",
    "ReLU": "relu",
    "ReLU2": "squared_relu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Tanh": "tanh",
}
NETWORK_KEYS = ("id", "depth", "rows", "cols", "layers_per_cell", "layers")
KEYS = frozenset(
    f"z y x l type activation dtype {' '.join(f'{i}_{d}' for i in ('input', 'output') for d in ('height', 'width', 'depth'))} "
    "input_channels filters kernel_size stride padding output_padding num_heads num_kv_heads head_dim query_dim d_model "
    "seq_length rope_freq_base vocab_size embedding_dim num_clusters kmeans_temperature output_mode softmax_type "
    f"{' '.join(softmax.KEYS)} weights native scale parallel_branches combine_mode sequential_layers use_tiling tile_size "
    "is_disabled meta_rules meta_observed_layer".split()
)

Source = Callable[[Fields, str, int], np.ndarray]
"""`source(layer, path, count)` gives a layer's so many weights."""


@dataclass(frozen=True)
class Cell:
    """One layer: its fields, its path among the layers, where weights come from, whether to follow LOOM's faults."""

    given: Fields
    path: str
    source: Source
    loom: bool
    depth: int = 0

    @classmethod
    def of(cls, value: Any, place: str, path: str, source: Source, loom: bool, depth: int = 0) -> "Cell":
        """A layer as it stands in the file."""
        check_count(depth, MAX_DEPTH, "layers within layers", place)
        return cls(Fields.of(value, place, KEYS), path, source, loom, depth)

    @property
    def kind(self) -> "Kind":
        """The member of `KINDS` that the type names."""
        return self.given.choice("type", KINDS)

    @property
    def function(self) -> NamedOrMapping:
        """The activation."""
        return self.given.choice("activation", ACTIVATIONS, "Linear")

    def inner(self, name: str) -> "list[Cell]":
        """The layers inside."""
        return [
            Cell.of(value, place, f"{self.path}.{name}.{i}", self.source, self.loom, self.depth + 1)
            for i, (value, place) in enumerate(self.given.items(name))
        ]

    def weights(self, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        """The layer's weights cut into arrays of these shapes."""
        sizes = [math.prod(check_shape(shape, self.given.place)) for shape in shapes]
        check_shape((sum(sizes),), self.given.place)
        whole = self.source(self.given, self.path, sum(sizes))
        ends = np.cumsum(sizes)[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(whole, ends), shapes, strict=True)]

    def build(self, shape: Shape) -> Built:
        """The layer, for what arrives."""
        with building(self.given.place):
            return self.kind.build(self, shape)


@dataclass(frozen=True)
class Kind:
    """How a type is built, and what a network that begins with it takes: a shape, or None where that is any.

    What `keeps` the shape may take more such rows, if what follows it does.
    """

    build: Callable[[Cell, Shape], Built]
    takes: Callable[[Cell], Shape]
    keeps: bool = False


def cells(value: Any, place: str, source: Source, loom: bool) -> list[Cell]:
    """The layers of a network in the order in which they run; `FormatError` unless there is one in every cell."""
    given = Fields.of(value, place, NETWORK_KEYS)
    grid = [given.size(name) for name in ("depth", "rows", "cols", "layers_per_cell")]
    items = given.items("layers")
    check_count(len(items), MAX_NODES, "layers", given.at("layers"))
    if math.prod(grid) != len(items):
        raise FormatError(f"{len(items)} layers in a grid of {' x '.join(map(str, grid))}", place=given.at("layers"))
    found: dict[tuple[int, ...], Cell] = {}
    for i, (layer, inner) in enumerate(items):
        cell = Cell.of(layer, inner, f"layers.{i}", source, loom)
        where = tuple(cell.given.integer(name) for name in "zyxl")
        if where in found or any(at >= size for at, size in zip(where, grid, strict=True)):
            raise FormatError(f"a second layer in the cell {where}, or one outside the grid {tuple(grid)}", place=inner)
        found[where] = cell
    return [found[where] for where in sorted(found)]


def network(layers: Sequence[Cell], place: str) -> Network:
    """The network of these layers, without those that are disabled."""
    active = [cell for cell in layers if not cell.given.flag("is_disabled")]
    if not active:
        raise FormatError("no layer does anything", place=place)
    shape = takes(active)
    parts, _ = in_sequence(active, shape)
    shape = check_shape((1, *(shape or (1,))), place)
    whole = in_a_row([*start(shape[1:]), *parts])
    dtype = "int32" if takes_tokens(active[0]) else "float32"
    return Network(whole.layer, whole.params, whole.state, (Spec(shape, dtype),))


def summaries(
    layers: Sequence[Cell], size: Callable[[Cell], tuple[str, int] | None]
) -> tuple[list[NodeSummary], list[TensorSummary]]:
    """What there is to say of layers and their weights; `size` gives a layer's dtype and bytes."""
    nodes, tensors = [], []
    waiting = list(layers)
    while waiting:
        cell = waiting.pop(0)
        hidden = ("type", "weights", "parallel_branches", "sequential_layers")
        attributes = {key: value for key, value in cell.given.values.items() if key not in hidden}
        nodes.append(NodeSummary(cell.path, cell.given.text("type"), attributes=attributes))
        found = size(cell)
        if found:
            dtype, count = found
            tensors.append(TensorSummary(f"{cell.path}.weights", dtype, (count * 8 // PACKINGS[dtype].bits,), count))
        waiting += [*cell.inner("parallel_branches"), *cell.inner("sequential_layers")]
    return nodes, tensors


def in_sequence(layers: Sequence[Cell], shape: Shape) -> Built:
    """The layers one after another."""
    adds = [cell.given.text("type") == "Residual" and not cell.loom for cell in layers]
    steps = [(None if one else cell.build, cell.given.place) for cell, one in zip(layers, adds, strict=True)]
    return native.sequence(steps, shape)


def takes(layers: Sequence[Cell]) -> Shape:
    """The shape of what layers that follow each other take."""
    return first_taken((one.kind.takes(one), one.kind.keeps) for one in layers)


def takes_tokens(cell: Cell) -> bool:
    """Whether a layer's input is numbers of tokens."""
    inner = [*cell.inner("parallel_branches"), *cell.inner("sequential_layers")]
    return cell.given.text("type") == "Embedding" or (bool(inner) and takes_tokens(inner[0]))


def _dense(c: Cell, shape: Shape) -> Built:
    (kernel,) = c.weights((c.given.size("output_height"), c.given.size("input_height")))
    return native.dense(shape, kernel.T, None, c.function, c.given.place)


_AXES = ("depth", "height", "width")


def _spatial(c: Cell, axes: int) -> tuple[int, ...]:
    return (
        (c.given.size("input_height", "input_width"),)
        if axes == 1
        else tuple(c.given.size(f"input_{n}") for n in _AXES[3 - axes :])
    )


def _image(axes: int) -> Callable[[Cell], Shape]:
    return lambda c: (c.given.size("input_channels"), *_spatial(c, axes))


def _convolution(axes: int) -> Kind:
    def build(c: Cell, shape: Shape) -> Built:
        channels, filters, size = (c.given.size(name) for name in ("input_channels", "filters", "kernel_size"))
        (kernel,) = c.weights((filters, channels, *(size,) * axes))
        stride, padding = c.given.integer("stride", 1), c.given.integer("padding")
        return native.convolution(shape, _spatial(c, axes), kernel, None, stride, padding, c.function, c.given.place)

    return Kind(build, _image(axes))


def _transposed(axes: int) -> Kind:
    names = _AXES[3 - axes :]  # of one axis, LOOM calls the length a width

    def build(c: Cell, shape: Shape) -> Built:
        channels, filters, size = (c.given.size(name) for name in ("input_channels", "filters", "kernel_size"))
        (kernel,) = c.weights((filters, channels, *(size,) * axes))
        stride, padding, more = c.given.integer("stride", 1), c.given.integer("padding"), c.given.integer("output_padding")
        sizes = tuple(c.given.size(f"input_{name}", "input_height") for name in names)
        least = [(n - 1) * stride + size - 2 * padding + more for n in sizes]
        given = tuple(c.given.integer(f"output_{name}") or n for name, n in zip(names, least, strict=True))
        return native.transposed_convolution(shape, sizes, kernel, stride, padding, given, c.function, c.given.place)

    return Kind(build, lambda c: (c.given.size("input_channels"), *(c.given.size(f"input_{n}", "input_height") for n in names)))


def _recurrent(gates: int) -> Callable[[Cell, Shape], Built]:
    def build(c: Cell, shape: Shape) -> Built:
        hidden, features = c.given.size("output_height"), c.given.size("input_height")
        arrays = c.weights(*((hidden, features), (hidden, hidden), (hidden,)) * gates)
        grouped = [(arrays[i], arrays[i + 1], arrays[i + 2]) for i in range(0, 3 * gates, 3)]
        return native.recurrent(shape, c.given.integer("seq_length", 1), grouped, relu=False, place=c.given.place)

    return build


def _attention(c: Cell, shape: Shape) -> Built:
    features, heads = c.given.size("d_model"), c.given.size("num_heads")
    kv_heads = c.given.integer("num_kv_heads", heads)
    head_dim = c.given.integer("head_dim", max(features // heads, 1))
    wide, narrow = heads * head_dim, kv_heads * head_dim
    if c.given.integer("query_dim", wide) != wide:
        raise FormatError(
            f"query_dim = {c.given.integer('query_dim')}, and {heads} heads of {head_dim}", place=c.given.at("query_dim")
        )
    kernels = ((wide, features), (narrow, features), (narrow, features), (features, wide))
    arrays = c.weights(*kernels, *((kernel[0],) for kernel in kernels))
    names = ("query", "key", "value", "out")
    projections = {name: {"kernel": arrays[i].T, "bias": arrays[i + 4]} for i, name in enumerate(names)}
    base = c.given.number("rope_freq_base", 10000.0)
    return native.attention(shape, heads, kv_heads, head_dim, base, projections, c.given.place)


def _swiglu(c: Cell, shape: Shape) -> Built:
    features, hidden = c.given.size("input_height"), c.given.size("output_height")
    kernels = ((hidden, features), (hidden, features), (features, hidden))
    arrays = c.weights(*kernels, *((kernel[0],) for kernel in kernels))
    gate, up, down = ({"kernel": arrays[i].T, "bias": arrays[i + 3]} for i in range(3))
    return native.swiglu(shape, gate, up, down, c.given.place)


def _layer_norm(c: Cell, shape: Shape) -> Built:
    size = c.given.size("input_height")
    gamma, beta = c.weights((size,), (size,))
    return native.layer_norm(shape, gamma, beta, 1e-5, c.given.place)


def _rms_norm(c: Cell, shape: Shape) -> Built:
    (gamma,) = c.weights((c.given.size("input_height"),))
    return native.rms_norm(shape, gamma, 1e-6, c.given.place)


def _embedding(c: Cell, shape: Shape) -> Built:
    vocabulary, features = c.given.size("vocab_size"), c.given.size("embedding_dim")
    (table,) = c.weights((vocabulary, features))
    if shape is not None and len(shape) != 1:
        raise FormatError(f"an embedding takes a row of token numbers, and {shape} arrive", place=c.given.place)
    return [Part(Embedding(vocabulary, features), {"embedding": table})], (*(shape or (1,)), features)


def _kmeans(c: Cell, shape: Shape) -> Built:
    (centers,) = c.weights((c.given.size("num_clusters"), c.given.size("input_height")))
    modes = {name: name for name in ("probabilities", "features")}
    output, temperature = c.given.choice("output_mode", modes, "probabilities"), c.given.number("kmeans_temperature", 1.0)
    return native.kmeans(shape, centers, temperature, output, "euclidean", c.given.place)


def _softmax(c: Cell, shape: Shape) -> Built:
    variant = c.given.text("softmax_type", "Standard").lower()
    if variant not in softmax.VARIANTS:
        known = nearest(variant.title(), [name.title() for name in softmax.VARIANTS])
        raise FormatError(f"unknown softmax_type {brief(variant)}", place=c.given.at("softmax_type"), fix=known)
    parts, shape = flat(shape)
    if variant == "masked" and not c.given.has("mask"):  # files hold no mask: LOOM gives what it gives without one
        variant = "temperature"
    if variant == "entmax" and c.loom:
        return [*parts, _blend(c, shape)], shape
    return [*parts, Part(softmax.softmax(c.given, variant, loom=False))], shape


def _blend(c: Cell, shape: Shape) -> Part:
    """LOOM's entmax: (2 - α) softmax + (α - 1) sparsemax of x / T, as experts with a gate that does not look at them."""
    if shape is None:
        raise FormatError("nothing says how many numbers the softmax takes", place=c.given.place)
    alpha, temperature = c.given.number("entmax_alpha", 1.5), c.given.number("temperature", 1.0)
    share = min(max(alpha - 1, 0.0), 1.0)
    experts = (
        Softmax({"name": "temperature", "temperature": temperature}),
        Softmax({"name": "sparsemax", "temperature": temperature}),
    )
    return native.blended(experts, share, shape[0])


COMBINATIONS = {
    "": "concat",
    "add": "add",
    "average": "average",
    "avg": "average",
    "concat": "concat",
    "filter": "average",
    "grid_scatter": "concat",
}
"""Files have no positions for grid_scatter and no gate for filter, for which LOOM gives 0."""


def _parallel(c: Cell, shape: Shape) -> Built:
    branches = [cell.build(shape) for cell in c.inner("parallel_branches")]
    return native.parallel(branches, c.given.choice("combine_mode", COMBINATIONS), c.given.place)


def _sequential(c: Cell, shape: Shape) -> Built:
    parts, given = in_sequence(c.inner("sequential_layers"), shape)
    return [in_a_row(parts)], given


def _metacognition(c: Cell, shape: Shape) -> Built:
    for name in ("meta_rules", "meta_observed_layer"):
        if c.given.has(name):
            raise FormatError("layers that observe others are not supported", place=c.given.at(name))
    return [], shape


def _rows(*names: str) -> Callable[[Cell], Shape]:
    return lambda c: (c.given.size(*names),)


def _steps(name: str) -> Callable[[Cell], Shape]:
    return lambda c: (c.given.integer("seq_length", 1), c.given.size(name))


def _any_or(name: str) -> Callable[[Cell], Shape]:
    return lambda c: (c.given.integer(name),) if c.given.integer(name) else None


KINDS: Mapping[str, Kind] = {
    "CNN1": _convolution(1),
    "CNN2": _convolution(2),
    "CNN3": _convolution(3),
    "ConvTransposed1D": _transposed(1),
    "ConvTransposed2D": _transposed(2),
    "ConvTransposed3D": _transposed(3),
    "Dense": Kind(_dense, _rows("input_height")),
    "Embedding": Kind(_embedding, lambda c: (c.given.integer("seq_length", 1),)),
    "KMeans": Kind(_kmeans, _rows("input_height")),
    "LSTM": Kind(_recurrent(4), _steps("input_height")),
    "LayerNorm": Kind(_layer_norm, _rows("input_height"), keeps=True),
    "Metacognition": Kind(_metacognition, _any_or("input_height"), keeps=True),
    "MultiHeadAttention": Kind(_attention, _steps("d_model"), keeps=True),
    "Parallel": Kind(_parallel, lambda c: takes(c.inner("parallel_branches"))),
    "RMSNorm": Kind(_rms_norm, _rows("input_height"), keeps=True),
    "RNN": Kind(_recurrent(1), _steps("input_height")),
    "Residual": Kind(lambda c, shape: ([], shape), _any_or("input_height"), keeps=True),
    "Sequential": Kind(_sequential, lambda c: takes(c.inner("sequential_layers"))),
    "Softmax": Kind(_softmax, _any_or("input_height"), keeps=True),
    "SwiGLU": Kind(_swiglu, _rows("input_height"), keeps=True),
}
"""The types of layers, by their names in a file."""
