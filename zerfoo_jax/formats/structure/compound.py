"""Layers of several products: recurrent layers, attention, gated feed-forward blocks."""

from collections.abc import Mapping
import re

import numpy as np

from zerfoo_jax.formats.structure.module import Arrays, Module, only, present, shapes
from zerfoo_jax.layers import GRU, LSTM, FeedForward, MultiHeadAttention, RMSNorm, SimpleRNN

_CELLS = {1: SimpleRNN, 3: GRU, 4: LSTM}
"""By their number of gates."""

_TORCH = re.compile(r"(weight|bias)_(ih|hh)_l(\d{1,4})(_reverse)?")
_HEADS = "the number of heads"


def recurrent(name: str, arrays: Arrays) -> Module | None:
    """torch's recurrent layers: `weight_ih_l0` (gates · features, in), `weight_hh_l0` (gates · features, features), ..."""
    found = [_TORCH.fullmatch(key) for key in arrays] if "weight_hh_l0" in arrays else []
    if not found or not all(found):
        return None
    layers = 1 + max(int(match[3]) for match in found if match)
    bidirectional, biased = any(match[4] for match in found if match), "bias_ih_l0" in arrays
    features = arrays["weight_hh_l0"].shape[-1]
    gates = arrays["weight_hh_l0"].shape[0] // max(features, 1)
    suffixes = {f"{way}_{i}": f"l{i}{end}" for i in range(layers) for way, end in _ways(bidirectional)}
    parts = ("weight_ih", "weight_hh") + (("bias_ih", "bias_hh") if biased else ())
    if gates not in _CELLS or {f"{part}_{suffix}" for part in parts for suffix in suffixes.values()} != arrays.keys():
        return None
    params = {ours: _direction([arrays.get(f"{part}_{suffix}") for part in _PARTS], gates) for ours, suffix in suffixes.items()}
    layer = _CELLS[gates](features, num_layers=layers, bidirectional=bidirectional)
    gives = features * (1 + bidirectional)
    return Module(layer, params, shapes(arrays), "certain", takes=arrays["weight_ih_l0"].shape[-1], gives=gives)


_PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _ways(bidirectional: bool) -> tuple[tuple[str, str], ...]:
    return (("forward", ""), ("backward", "_reverse")) if bidirectional else (("forward", ""),)


def _direction(given: list[np.ndarray | None], gates: int) -> Mapping[str, Mapping[str, np.ndarray]]:
    """One direction's parameters from (weight_ih, weight_hh, bias_ih, bias_hh). Ours adds the two biases where it can."""
    weight_ih, weight_hh, bias_ih, bias_hh = given
    assert weight_ih is not None and weight_hh is not None
    bias = np.zeros(weight_ih.shape[0], weight_ih.dtype) if bias_ih is None or bias_hh is None else bias_ih + bias_hh
    inside: dict[str, np.ndarray] = {"kernel": weight_hh.T}
    if gates == 3:  # GRU multiplies the last gate's recurrent part, its bias included, before it adds
        features = weight_hh.shape[1]
        inside["bias"] = np.zeros(features, bias.dtype) if bias_hh is None else bias_hh[-features:]
        bias = np.concatenate([bias[:-features], bias[-features:] if bias_ih is None else bias_ih[-features:]])
    return {"input": {"kernel": weight_ih.T, "bias": bias}, "recurrent": inside}


def loom_recurrent(name: str, arrays: Arrays) -> Module | None:
    """LOOM's recurrent layer, `weight_ih`, `weight_hh` and `bias_h`, or those of each gate of an LSTM."""
    if only(arrays, "weight_ih weight_hh bias_h"):
        ih, hh, bias, kind = arrays["weight_ih"], arrays["weight_hh"], arrays["bias_h"], SimpleRNN
    elif only(arrays, " ".join(f"weight_ih_{gate} weight_hh_{gate} bias_{gate}" for gate in "ifgo")):
        ih, hh, bias = (np.concatenate([arrays[f"{part}_{g}"] for g in "ifgo"]) for part in ("weight_ih", "weight_hh", "bias"))
        kind = LSTM
    else:
        return None
    features = hh.shape[-1]
    params = {"forward_0": {"input": {"kernel": ih.T, "bias": bias}, "recurrent": {"kernel": hh.T}}}
    return Module(kind(features), params, shapes(arrays), "certain", takes=ih.shape[-1], gives=features)


def fused_attention(name: str, arrays: Arrays) -> Module | None:
    """`torch.nn.MultiheadAttention`: query, key and value in one `in_proj_weight` (3 · features, features)."""
    if not only(arrays, "in_proj_weight out_proj.weight", "in_proj_bias out_proj.bias"):
        return None
    weight, bias = arrays["in_proj_weight"], arrays.get("in_proj_bias")
    if weight.ndim != 2 or weight.shape[0] != 3 * weight.shape[1]:
        return None
    kernels = [part.T for part in np.split(weight, 3)]
    biases = [None] * 3 if bias is None else np.split(bias, 3)
    parts = dict(zip(("query", "key", "value"), zip(kernels, biases, strict=True), strict=True))
    return _attention(parts | {"out": (arrays["out_proj.weight"].T, arrays.get("out_proj.bias"))}, shapes(arrays))


def projected_attention(name: str, arrays: Arrays) -> Module | None:
    """Attention with a product for each of query, key, value and output: `q_proj.weight` and so on as on the Hugging Face hub
    (out, in), `q_weight` as in LOOM (in, out), `query.kernel` as here."""
    for weight, bias, turned, parts in _ATTENTIONS:
        names = {ours: theirs for ours, options in parts.items() for theirs in options if weight.format(theirs) in arrays}
        if len(names) < 4:
            continue
        needed = " ".join(weight.format(part) for part in names.values())
        optional = " ".join(bias.format(part) for part in names.values())
        if not only(arrays, needed, f"{optional} q_norm.weight k_norm.weight"):
            continue
        found = {
            ours: (arrays[weight.format(part)].T if turned else arrays[weight.format(part)], arrays.get(bias.format(part)))
            for ours, part in names.items()
        }
        return _attention(found, shapes(arrays), arrays.get("q_norm.weight"), arrays.get("k_norm.weight"))
    return None


_ATTENTIONS = (
    ("{}_proj.weight", "{}_proj.bias", True, {"query": ["q"], "key": ["k"], "value": ["v"], "out": ["o", "out"]}),
    ("{}_weight", "{}_bias", False, {"query": ["q"], "key": ["k"], "value": ["v"], "out": ["o"]}),
    ("{}.kernel", "{}.bias", False, {part: [part] for part in ("query", "key", "value", "out")}),
)
"""How weights and biases are called, whether weights are (out, in), and the words for the four products."""

Product = tuple[np.ndarray, np.ndarray | None]


def _attention(
    parts: Mapping[str, Product], why: str, query_norm: np.ndarray | None = None, key_norm: np.ndarray | None = None
) -> Module | None:
    kernels = {name: kernel for name, (kernel, _) in parts.items()}
    if any(kernel.ndim != 2 for kernel in kernels.values()):
        return None
    features, width = kernels["query"].shape
    kv_width = kernels["key"].shape[1]
    fits = kernels["key"].shape == kernels["value"].shape == (features, kv_width) and kernels["out"].shape == (width, features)
    biased = [name for name, (_, bias) in parts.items() if bias is not None]
    if not fits or not kv_width or width % kv_width or set(biased) - {"out"} not in (set(), {"query", "key", "value"}):
        return None
    group = width // kv_width
    heads = width // query_norm.shape[0] if query_norm is not None else group * max(kv_width // 64, 1)
    layer = MultiHeadAttention(
        heads,
        num_kv_heads=heads // group if group > 1 else None,
        head_dim=width // heads if width != features else None,
        use_bias="query" in biased,
        out_bias="out" in biased if ("out" in biased) != ("query" in biased) else None,
        qk_norm=None if query_norm is None else RMSNorm(),
    )
    params = {name: present(kernel=kernel, bias=bias) for name, (kernel, bias) in parts.items()}
    norms = present(query_norm=query_norm, key_norm=key_norm)
    params |= {name: {"scale": scale} for name, scale in norms.items()}
    unknown = ("whether it is causal", "its positions") if norms else (_HEADS, "whether it is causal", "its positions")
    return Module(layer, params, why, "likely", takes=features, gives=features, open=unknown)


_GATED = (("{}_proj.weight", "{}_proj.bias", True), ("{}_weight", "{}_bias", False), ("{}.kernel", "{}.bias", False))


def gated_feed_forward(name: str, arrays: Arrays) -> Module | None:
    """SwiGLU: `gate_proj.weight` and so on (out, in), `gate_weight` as in LOOM (in, out), `gate.kernel` as here."""
    for weight, bias, turned in _GATED:
        parts = ("gate", "up", "down")
        needed, optional = (" ".join(form.format(part) for part in parts) for form in (weight, bias))
        if not only(arrays, needed, optional) or len(arrays) not in (3, 6):
            continue
        kernels = {part: arrays[weight.format(part)].T if turned else arrays[weight.format(part)] for part in parts}
        if kernels["gate"].shape != kernels["up"].shape or kernels["down"].shape != kernels["up"].shape[::-1]:
            return None
        features, hidden = kernels["up"].shape
        params = {part: present(kernel=kernels[part], bias=arrays.get(bias.format(part))) for part in parts}
        layer = FeedForward(hidden, "silu", gated=True, use_bias=len(arrays) == 6)
        return Module(layer, params, shapes(arrays), takes=features, gives=features, open=("the activation",))
    return None
