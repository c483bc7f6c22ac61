"""What our layers without layers inside are called in LOOM's first generation, and how their parameters lie there.

Layers that only rearrange leave no trace but another order of the weights that follow; Dropout does nothing in evaluation and
is left out. LOOM's ReLU is max(0, 1.1 x): where ours stands, the weights before it are divided by 1.1.
"""

from collections.abc import Callable, Mapping
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.layer import Layer, check
from zerfoo_jax.core.spec import bound
from zerfoo_jax.core.types import Params, Spec
from zerfoo_jax.formats.loom.order import Order, channels_first
from zerfoo_jax.formats.loom.written import Writer
from zerfoo_jax.layers import (
    ACTIVATIONS,
    LSTM,
    SOFTMAX_VARIANTS,
    Activation,
    Conv1D,
    Conv2D,
    Conv3D,
    Dense,
    Dropout,
    Embedding,
    FeedForward,
    Flatten,
    GumbelSoftmax,
    LayerNorm,
    MultiHeadAttention,
    Permute,
    Reshape,
    RMSNorm,
    SimpleRNN,
    Softmax,
    Stitch,
)
from zerfoo_jax.layers.convolutions.windows import edges, per_axis

RELU = np.float32(1.1)
NO_FORM = "has no form in LOOM's bundles"
Form = Callable[..., Order]
"""`form(writer, layer, params, order, place)` writes a layer and gives what flows behind it."""


def shape_of(layer: Layer, order: Order) -> tuple[int, ...]:
    """The shape of what a layer gives."""
    dtype = "int32" if isinstance(layer, Embedding) else "float32"
    return tuple(check(layer, Spec((1, *order.shape), dtype)).shape[1:])


def need(w: Writer, condition: bool, layer: Layer, what: str, place: str) -> bool:
    """Whether a layer has a form; if not, says of which kind it has none."""
    if not condition:
        w.refuse(f"{type(layer).__name__} {what} {NO_FORM}", place)
    return condition


def in_order(w: Writer, layer: Layer, order: Order, place: str) -> bool:
    """Whether our numbers stand in LOOM's order; if not, says so."""
    return need(w, order.places is None, layer, "behind a change of axes", place)


def array_of(params: Mapping[str, Any], *names: str) -> np.ndarray:
    """A parameter as float32."""
    for name in names:
        params = params[name]
    return np.asarray(params).astype(np.float32)


def _bias(params: Mapping[str, Any], width: int) -> np.ndarray:
    return array_of(params, "bias") if "bias" in params else np.zeros(width, np.float32)


def _same(w: Writer, layer: Layer, params: Params, order: Order, place: str) -> Order:
    return order


def _reshape(w: Writer, layer: Layer, params: Params, order: Order, place: str) -> Order:
    return order.reshaped(shape_of(layer, order))


def _permute(w: Writer, layer: Permute, params: Params, order: Order, place: str) -> Order:
    return order.permuted([axis - 1 for axis in layer.axes])


def _activation(w: Writer, layer: Activation, params: Params, order: Order, place: str) -> Order:
    chosen = bound(ACTIVATIONS, layer.function, "activation")
    named = {function: name for name, function in ACTIVATIONS.items() if name not in ("swish", "fast_gelu")}
    name, options = named[chosen.func], dict(chosen.keywords)
    if name == "linear":
        return order
    last = w.layers[-1] if w.layers else None
    scale = {"relu": 1.0, "scaled_relu": options.get("scale", 1.1)}.get(name)
    plain = name in ("sigmoid", "tanh") or (name == "softplus" and options.get("beta", 1.0) == 1)
    leaky = name == "leaky_relu" and options.get("negative_slope", 0.01) == 0.1
    if last is None or last.place is None or not (scale or plain or leaky):
        w.refuse(
            f"Activation {layer.function!r} here {NO_FORM}", place, "LOOM has relu, leaky_relu of 0.1, sigmoid, tanh, softplus"
        )
        return order
    last.fields["activation"] = "relu" if scale else name
    if scale and scale != 1.1:
        last.arrays = {key: array * np.float32(scale) / RELU for key, array in last.arrays.items()}
    last.place = None
    return order


def _dense(w: Writer, layer: Dense, params: Params, order: Order, place: str) -> Order:
    kernel = array_of(params, "kernel")
    if len(order.shape) == 1 and order.places is not None:
        kernel = kernel[order.places]
    else:
        in_order(w, layer, order, place)
    arrays = {"kernel": kernel, "biases": _bias(params, layer.features)}
    sizes = {"input_height": kernel.shape[0], "output_height": layer.features}
    w.add("dense", {"width": 1, "height": 1} | sizes, arrays, place=place)
    return order.to((*order.shape[:-1], layer.features))


def _stitch(w: Writer, layer: Stitch, params: Params, order: Order, place: str) -> Order:
    dense = Dense(math.prod(layer.shape), layer.use_bias)
    order = _dense(w, dense, params["dense"], order.reshaped((math.prod(order.shape),)), place)
    return order.to(layer.shape)


def _convolution(w: Writer, layer: Conv1D | Conv2D | Conv3D, params: Params, order: Order, place: str) -> Order:
    sizes, shape = order.shape[:-1], shape_of(layer, order)
    axes, entering = layer.axes, order.as_channels_first()
    kernel, strides = array_of(params, "kernel"), per_axis(layer.strides, layer.axes)
    pads = set(edges(sizes, kernel.shape[:axes], strides, layer.padding))
    plain = layer.groups == 1 and set(per_axis(layer.dilation, axes)) == {1}
    equal = len(set(kernel.shape[:axes])) == len(set(strides)) == len(pads) == 1 and len(set(next(iter(pads)))) == 1
    need(w, plain, layer, "with groups or dilation", place)
    need(w, equal, layer, "with unequal windows, strides or padding", place)
    need(w, entering is not None, layer, "on channels that LOOM does not have first", place)
    fields = {
        "input_channels": order.shape[-1],
        "filters": layer.features,
        "kernel_size": kernel.shape[0],
        "stride": strides[0],
        "padding": next(iter(pads))[0],
    }
    if axes == 1:
        fields["input_length"] = sizes[0]
    else:
        names = ("depth", "height", "width")[3 - axes :]
        fields |= {
            f"{kind}_{name}": size
            for kind, of in (("input", sizes), ("output", shape))
            for name, size in zip(names, of, strict=False)
        }
    kernel_name, bias_name = ("conv3d_kernel", "conv3d_bias") if axes == 3 else ("kernel", "conv_bias")
    arrays = {kernel_name: kernel.transpose(axes + 1, axes, *range(axes)), bias_name: _bias(params, layer.features)}
    w.add(f"conv{axes}d", fields, arrays, place=place)
    return order.to(shape, channels_first(shape))


def _recurrent(w: Writer, layer: SimpleRNN | LSTM, params: Params, order: Order, place: str) -> Order:
    plain = layer.num_layers == 1 and not layer.bidirectional and layer.return_sequences and not layer.return_state
    plain = plain and getattr(layer, "activation", "tanh") == "tanh"
    if not (need(w, plain, layer, "of these options", place) and in_order(w, layer, order, place)):
        return order.to(shape_of(layer, order)) if layer.return_sequences and not layer.return_state else order
    own = params["forward_0"]
    kernel, recurrent, bias = (
        array_of(own, "input", "kernel"),
        array_of(own, "recurrent", "kernel"),
        array_of(own, "input", "bias"),
    )
    fields = {"input_size": kernel.shape[0], "hidden_size": layer.features, "seq_length": order.shape[0]}
    if isinstance(layer, SimpleRNN):
        w.add("rnn", fields, {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias_h": bias})
    else:
        gates = [zip("ifgo", np.split(array, 4, axis=-1), strict=True) for array in (kernel, recurrent, bias)]
        names = ("weight_i", "weight_h", "bias_")
        w.add("lstm", fields, {name + gate: part.T for name, parts in zip(names, gates, strict=True) for gate, part in parts})
    return order.to((order.shape[0], layer.features))


def _attention(w: Writer, layer: MultiHeadAttention, params: Params, order: Order, place: str) -> Order:
    features, rotary = order.shape[-1], layer.rotary
    turned = rotary is not None and rotary.layout == "half" and rotary.scaling is None and rotary.dims is None
    plain = layer.causal and not (layer.sliding_window or layer.alibi or layer.cache_length or layer.qk_norm)
    need(w, plain and turned, layer, "unless it is causal with rotary positions, and nothing more,", place)
    need(w, layer.width(features) * layer.num_heads == features, layer, "with a head_dim of its own", place)
    in_order(w, layer, order, place)
    base = rotary.base if rotary else 10000.0
    fields = {"d_model": features, "num_heads": layer.num_heads, "seq_length": order.shape[0]}
    fields |= {"rope_freq_base": np.float32(base)} if base != 10000 else {}
    arrays = {}
    names = {
        "query": ("q", "q_weights"),
        "key": ("k", "k_weights"),
        "value": ("v", "v_weights"),
        "out": ("output", "output_weight"),
    }
    for name, (short, kernel) in names.items():
        arrays[kernel] = array_of(params, name, "kernel")
        arrays[f"{short}_bias"] = _bias(params[name], arrays[kernel].shape[1])
    w.add("multi_head_attention", fields, arrays)
    return order.to(order.shape)


def _softmax(w: Writer, layer: Softmax, params: Params, order: Order, place: str) -> Order:
    chosen = bound(SOFTMAX_VARIANTS, layer.variant, "softmax variant")
    options: dict[str, Any] = dict(chosen.keywords)
    named = {function: name for name, function in SOFTMAX_VARIANTS.items()}
    name = named[chosen.func]
    rows, size = math.prod(order.shape[:-1]), order.shape[-1]
    temperature = options.pop("temperature", 1.0)
    fields: dict[str, Any] = {
        "softmax_variant": {"sparsemax": "sparse"}.get(name, name),
        "temperature": np.float32(temperature),
    }
    if name in ("standard", "temperature") and rows > 1:
        name, fields["softmax_variant"], options = "grid", "grid", {"columns": size}
    elif name != "grid":
        need(w, rows == 1, layer, f"{layer.variant!r} of several rows", place)
    if name == "grid":
        fields |= {"softmax_rows": math.prod(order.shape) // options["columns"], "softmax_cols": options["columns"]}
    elif name == "masked":
        fields["mask"] = list(options["mask"])
    elif name == "entmax":
        fields["entmax_alpha"] = np.float32(options.get("alpha", 1.5))
    need(w, name != "hierarchical", layer, f"{layer.variant!r}", place)
    need(
        w,
        not (w.loom and name in ("sparsemax", "entmax")) or options.get("loom_compat", False),
        layer,
        f"{name}, as LOOM computes it,",
        place,
    )
    if name not in ("standard", "temperature"):
        in_order(w, layer, order, place)
    w.add("softmax", fields)
    return order


def _gumbel(w: Writer, layer: GumbelSoftmax, params: Params, order: Order, place: str) -> Order:
    need(w, not layer.hard and len(order.shape) == 1, layer, "that is hard or of several rows", place)
    w.add("softmax", {"softmax_variant": "gumbel", "temperature": np.float32(layer.temperature), "gumbel_noise": True})
    return order


def _norm(kind: str, arrays: Mapping[str, str]) -> Callable[..., Order]:
    def write(w: Writer, layer: LayerNorm | RMSNorm, params: Params, order: Order, place: str) -> Order:
        size = order.shape[-1]
        need(w, not getattr(layer, "scale_offset", 0.0), layer, "with a scale_offset", place)
        if len(order.shape) > 1:
            in_order(w, layer, order, place)
        neutral = {"scale": np.ones(size, np.float32), "bias": np.zeros(size, np.float32)}
        found = {theirs: array_of(params, ours) if ours in params else neutral[ours] for ours, theirs in arrays.items()}
        if order.places is not None and len(order.shape) == 1:
            found = {name: array[order.places] for name, array in found.items()}
        w.add(kind, {"norm_size": size, "epsilon": np.float32(layer.epsilon)}, found)
        return order

    return write


def _feed_forward(w: Writer, layer: FeedForward, params: Params, order: Order, place: str) -> Order:
    gated = layer.gated and layer.activation in ("silu", "swish")
    need(w, gated, layer, "but for the one gated by silu", place)
    in_order(w, layer, order, place)
    if not gated:
        return order
    fields = {"input_height": order.shape[-1], "output_height": layer.hidden}
    arrays = {}
    for name in ("gate", "up", "down"):
        arrays[f"{name}_weights"] = array_of(params, name, "kernel")
        arrays[f"{name}_bias"] = _bias(params[name], arrays[f"{name}_weights"].shape[1])
    w.add("swiglu", fields, arrays)
    return order.to(order.shape)


def _embedding(w: Writer, layer: Embedding, params: Params, order: Order, place: str) -> Order:
    need(w, not w.layers and len(order.shape) == 1, layer, "but at the beginning, for rows of tokens,", place)
    fields = {"vocab_size": layer.vocab_size, "embedding_dim": layer.features, "seq_length": math.prod(order.shape)}
    w.add("embedding", fields, {"embedding_weights": array_of(params, "embedding")})
    return order.to((*order.shape, layer.features))


SINGLE_FORMS: dict[type[Layer], Form] = {
    Activation: _activation,
    Conv1D: _convolution,
    Conv2D: _convolution,
    Conv3D: _convolution,
    Dense: _dense,
    Dropout: _same,
    Embedding: _embedding,
    FeedForward: _feed_forward,
    Flatten: _reshape,
    GumbelSoftmax: _gumbel,
    LSTM: _recurrent,
    LayerNorm: _norm("layer_norm", {"scale": "gamma", "bias": "beta"}),
    MultiHeadAttention: _attention,
    Permute: _permute,
    RMSNorm: _norm("rms_norm", {"scale": "gamma"}),
    Reshape: _reshape,
    SimpleRNN: _recurrent,
    Softmax: _softmax,
    Stitch: _stitch,
}
"""How each of these layers is written."""
