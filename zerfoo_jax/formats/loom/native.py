"""Our layers for LOOM's, from weights that are in our order already: what both generations have in common.

Data stays in LOOM's order between layers, channels first: layers that want channels last are between two `Permute`s.
"""

from collections.abc import Callable, Sequence
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import NamedOrMapping
from zerfoo_jax.formats.loom.flow import Built, Shape, exactly, flat, in_rows, reshaped, windows
from zerfoo_jax.formats.parts import Part, chain, channels_first
from zerfoo_jax.layers import (
    LSTM,
    Activation,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    ConvTranspose3D,
    Dense,
    FeedForward,
    KMeans,
    LayerNorm,
    MixtureOfExperts,
    MultiHeadAttention,
    Parallel,
    Residual,
    RMSNorm,
    RotaryPositions,
    SimpleRNN,
)

CONVOLUTIONS = {1: Conv1D, 2: Conv2D, 3: Conv3D}
TRANSPOSED = {1: ConvTranspose1D, 2: ConvTranspose2D, 3: ConvTranspose3D}

Weights = dict[str, np.ndarray]


def activated(function: NamedOrMapping) -> list[Part]:
    """The activation as a layer, if it does anything."""
    return [] if function == "linear" else [Part(Activation(function))]


def dense(shape: Shape, kernel: np.ndarray, bias: np.ndarray | None, function: NamedOrMapping, place: str) -> Built:
    """y = f(x W + b) on rows; `kernel` (in, out)."""
    parts, shape = in_rows(shape, kernel.shape[0], place)
    layer = Dense(kernel.shape[1], use_bias=bias is not None)
    return [*parts, Part(layer, biased(kernel, bias)), *activated(function)], (*shape[:-1], kernel.shape[1])


def biased(kernel: np.ndarray, bias: np.ndarray | None) -> Weights:
    """Parameters of a layer with a kernel and perhaps a bias."""
    return {"kernel": kernel} | ({} if bias is None else {"bias": bias})


def convolution(
    shape: Shape,
    sizes: tuple[int, ...],
    kernel: np.ndarray,
    bias: np.ndarray | None,
    stride: int,
    padding: int,
    function: NamedOrMapping,
    place: str,
) -> Built:
    """Cross-correlation of (channels, *sizes) with `kernel` (filters, channels, *window)."""
    axes, (filters, channels, *window) = len(sizes), kernel.shape
    edges = (padding, padding) if axes == 1 else ((padding, padding),) * axes
    layer = CONVOLUTIONS[axes](filters, tuple(window), stride, edges, use_bias=bias is not None)  # pyright: ignore
    ours = np.ascontiguousarray(kernel.transpose(*range(2, axes + 2), 1, 0))
    parts = exactly(shape, (channels, *sizes), place)
    parts += channels_first([Part(layer, biased(ours, bias)), *activated(function)], axes)
    return parts, (filters, *windows(sizes, window[0], stride, padding, place))


def transposed_convolution(
    shape: Shape,
    sizes: tuple[int, ...],
    kernel: np.ndarray,
    stride: int,
    padding: int,
    given: tuple[int | None, ...],
    function: NamedOrMapping,
    place: str,
) -> Built:
    """The transpose of `convolution`, `given` the sizes it is to have, with `kernel` (filters, channels, *window)."""
    axes, (filters, channels, *window) = len(sizes), kernel.shape
    edges = (padding, padding) if axes == 1 else ((padding, padding),) * axes
    least = [(size - 1) * stride + window[0] - 2 * padding for size in sizes]
    found = tuple(size or small for size, small in zip(given, least, strict=True))
    more = tuple(size - small for size, small in zip(found, least, strict=True))
    if min(found) < 1 or min(more) < 0:
        raise FormatError(f"sizes of {found}, and the transposed convolution gives {tuple(least)}", place=place)
    layer = TRANSPOSED[axes](filters, tuple(window), stride, edges, more, use_bias=False)  # pyright: ignore
    ours = np.ascontiguousarray(kernel.transpose(*range(2, axes + 2), 1, 0))
    parts = exactly(shape, (channels, *sizes), place)
    return [*parts, *channels_first([Part(layer, {"kernel": ours}), *activated(function)], axes)], (filters, *found)


def recurrent(
    shape: Shape, length: int, gates: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], relu: bool, place: str
) -> Built:
    """A simple recurrent network of one gate or an LSTM of i, f, g, o, each with W (hidden, in), U (hidden, hidden), b."""
    hidden, features = gates[0][0].shape
    wide, recurring = (np.concatenate([gate[i].T for gate in gates], axis=1) for i in range(2))
    bias = np.concatenate([gate[2] for gate in gates])
    layer = LSTM(hidden) if len(gates) == 4 else SimpleRNN(hidden, activation="relu" if relu else "tanh")
    params = {"forward_0": {"input": {"kernel": wide, "bias": bias}, "recurrent": {"kernel": recurring}}}
    parts = exactly(shape, (length, features), place) if shape is None or shape[1:] != (features,) else []
    steps = length if shape is None or shape[1:] != (features,) else shape[0]
    return [*parts, Part(layer, params)], (steps, hidden)


def attention(
    shape: Shape, heads: int, kv_heads: int, head_dim: int, base: float, projections: dict[str, Weights], place: str
) -> Built:
    """Causal self-attention with rotary positions; `projections` of `query`, `key`, `value` and `out`."""
    features = projections["query"]["kernel"].shape[0]
    parts, shape = in_rows(shape, features, place)
    parts += reshaped(shape, (1, features))[0] if len(shape) == 1 else []
    shape = (1, features) if len(shape) == 1 else shape
    layer = MultiHeadAttention(
        heads,
        num_kv_heads=None if kv_heads == heads else kv_heads,
        head_dim=None if head_dim * heads == features else head_dim,
        causal=True,
        rotary=RotaryPositions(base=base),
    )
    return [*parts, Part(layer, projections)], shape


def swiglu(shape: Shape, gate: Weights, up: Weights, down: Weights, place: str) -> Built:
    """(silu(x G + g) · (x U + u)) D + d on rows."""
    features, hidden = gate["kernel"].shape
    parts, shape = in_rows(shape, features, place)
    layer = FeedForward(hidden, "silu", gated=True)
    return [*parts, Part(layer, {"gate": gate, "up": up, "down": down})], shape


def layer_norm(shape: Shape, gamma: np.ndarray, beta: np.ndarray, epsilon: float, place: str) -> Built:
    """Layer normalisation of rows."""
    parts, shape = in_rows(shape, gamma.size, place)
    return [*parts, Part(LayerNorm(epsilon), {"scale": gamma, "bias": beta})], shape


def rms_norm(shape: Shape, gamma: np.ndarray, epsilon: float, place: str) -> Built:
    """Root-mean-square normalisation of rows."""
    parts, shape = in_rows(shape, gamma.size, place)
    return [*parts, Part(RMSNorm(epsilon), {"scale": gamma})], shape


def kmeans(shape: Shape, centers: np.ndarray, temperature: float, output: Any, distance: Any, place: str) -> Built:
    """Soft assignment of rows to centres (clusters, features)."""
    clusters, features = centers.shape
    parts, shape = in_rows(shape, features, place)
    given = clusters if output == "probabilities" else features
    layer = KMeans(clusters, temperature=temperature, output=output, distance=distance)
    return [*parts, Part(layer, {"centers": centers})], (*shape[:-1], given)


def parallel(branches: Sequence[Built], combine: str, place: str, positions: dict[str, Any] | None = None) -> Built:
    """Branches on the same input, their outputs made one row each; narrower ones get zeros where they are summed."""
    if not branches:
        raise FormatError("a parallel layer needs at least one branch", place=place)
    rows = [(parts + flat(shape)[0], flat(shape)[1]) for parts, shape in branches]
    widths = [None if shape is None else shape[0] for _, shape in rows]
    joined = combine in ("concat", "grid_scatter")
    padded = not joined and len(set(widths)) > 1
    given = {"name": combine} | (positions or {}) | ({"pad": True} if padded else {})
    parts = [as_one(parts) for parts, _ in rows]
    layer = Parallel(tuple(part.layer for part in parts), given if len(given) > 1 else combine)
    params = {f"branch_{i}": part.params for i, part in enumerate(parts) if part.params}
    known = [width for width in widths if width is not None]
    size = None if len(known) < len(widths) else sum(known) if joined else max(known)
    return [Part(layer, params)], None if size is None else (size,)


def as_one(parts: Sequence[Part]) -> Part:
    """The parts as one layer, which does nothing where there are none."""
    return chain(parts) if parts else Part(Activation("linear"))


def blended(experts: tuple[Layer, Layer], share: float, width: int) -> Part:
    """(1 - share) first(x) + share second(x): experts with a gate that does not look at x, of so many numbers."""
    with np.errstate(divide="ignore"):
        bias = np.maximum(np.log(np.array([1 - share, share], np.float32)), np.float32(-1e4))
    gate = {"kernel": np.zeros((width, 2), np.float32), "bias": bias}
    return Part(MixtureOfExperts(experts), {"gate": gate})


Builder = Callable[[Shape], Built]
"""Builds one LOOM layer for what arrives."""


def sequence(layers: Sequence[tuple[Builder | None, str]], shape: Shape) -> Built:
    """Layers one after another, each with its place in the file. None stands for a residual layer.

    A residual adds what the layer before it took to what that gave. Where those are not as many numbers, or there is no layer
    before it, it does nothing. Raises `FormatError` for two of them in a row: the second would add the first one's input.
    """
    parts: list[Part] = []
    inner, taken, follows = [], None, False
    for build, place in layers:
        if build is not None:
            taken = shape
            inner, shape = build(shape)
            parts += inner
        elif follows:
            raise FormatError("a residual layer right behind another", place=place)
        elif inner and taken is not None and shape is not None and math.prod(taken) == math.prod(shape):
            one = chain([*inner, *reshaped(shape, taken)[0]])
            parts[len(parts) - len(inner) :] = [Part(Residual(one.layer), {"inner": one.params} if one.params else {})]
            shape = taken
        follows = build is None
    return parts, shape
