"""LOOM's first generation in NumPy, on flat data as LOOM has it, from its formulas: an oracle for files made by tests."""

import base64
import json
import math
from typing import Any

import numpy as np

ACTIVATIONS = {
    "relu": lambda x: np.maximum(1.1 * x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.1 * x),
    "linear": lambda x: x,
}


def run(layer: dict[str, Any], w: dict[str, Any], x: np.ndarray) -> np.ndarray:
    """What a layer gives for one example, float64."""
    return LAYERS[layer["type"]](layer, {name: decoded(value) for name, value in w.items()}, np.asarray(x, np.float64))


def decoded(value: Any) -> Any:
    return np.asarray(value, np.float64) if isinstance(value, np.ndarray) else value


def sequence(layers: list[dict[str, Any]], weights: list[dict[str, Any]], x: np.ndarray) -> np.ndarray:
    """Layers one after another; a residual adds the input of the layer before it, if it is as long."""
    before, taken = None, None
    for layer, w in zip(layers, weights, strict=True):
        if layer["type"] == "residual":
            x = x + taken if before and taken.size == x.size else x
        else:
            taken, before = x, layer
            x = run(layer, w, x)
    return x


def dense(d, w, x):
    rows = x.reshape(-1, d["input_height"])
    y = rows @ w["kernel"].reshape(d["input_height"], d["output_height"]) + w["biases"]
    return ACTIVATIONS[d["activation"]](y).ravel()


def convolution(axes):
    def run(d, w, x):
        names = ["input_length"] if axes == 1 else [f"input_{n}" for n in ("depth", "height", "width")[3 - axes :]]
        size, k, s, p = [d[n] for n in names], d["kernel_size"], d.get("stride", 1), d.get("padding", 0)
        image = np.pad(x.reshape(d["input_channels"], *size), [(0, 0)] + [(p, p)] * axes)
        kernel_name, bias_name = ("conv3d_kernel", "conv3d_bias") if axes == 3 else ("kernel", "conv_bias")
        kernel = w[kernel_name].reshape(d["filters"], d["input_channels"], *[k] * axes)
        out = [(n + 2 * p - k) // s + 1 for n in size]
        y = np.zeros((d["filters"], *out))
        for place in np.ndindex(*out):
            window = image[(slice(None), *(slice(i * s, i * s + k) for i in place))]
            y[(slice(None), *place)] = (kernel * window).reshape(d["filters"], -1).sum(1) + w[bias_name]
        return ACTIVATIONS[d["activation"]](y).ravel()

    return run


def rnn(d, w, x):
    hidden = d["hidden_size"]
    ih, hh = w["weight_ih"].reshape(hidden, -1), w["weight_hh"].reshape(hidden, hidden)
    h, every = np.zeros(hidden), []
    for step in x.reshape(d["seq_length"], d["input_size"]):
        h = np.tanh(ih @ step + hh @ h + w["bias_h"])
        every.append(h)
    return np.concatenate(every)


def lstm(d, w, x):
    hidden, sigmoid = d["hidden_size"], ACTIVATIONS["sigmoid"]
    h, c, every = np.zeros(hidden), np.zeros(hidden), []
    for step in x.reshape(d["seq_length"], d["input_size"]):
        kernels = {g: (w[f"weight_i{g}"].reshape(hidden, -1), w[f"weight_h{g}"].reshape(hidden, hidden)) for g in "ifgo"}
        a = {g: ih @ step + hh @ h + w[f"bias_{g}"] for g, (ih, hh) in kernels.items()}
        c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["g"])
        h = sigmoid(a["o"]) * np.tanh(c)
        every.append(h)
    return np.concatenate(every)


def attention(d, w, x):
    size, heads = d["d_model"], d["num_heads"]
    width, x = size // heads, x.reshape(-1, size)
    q, k, v = (x @ w[f"{n}_weights"].reshape(size, -1) + w[f"{n}_bias"] for n in "qkv")
    out = np.zeros_like(x)
    share = heads // (k.shape[1] // width)
    for head in range(heads):
        own, kept = slice(head * width, (head + 1) * width), slice(head // share * width, (head // share + 1) * width)
        turned = [rotated(y, d.get("rope_freq_base") or 10000.0) for y in (q[:, own], k[:, kept])]
        scores = turned[0] @ turned[1].T / math.sqrt(width)
        scores[np.triu_indices(len(x), 1)] = -np.inf
        p = np.exp(scores - scores.max(1, keepdims=True))
        out[:, own] = p / p.sum(1, keepdims=True) @ v[:, kept]
    return (out @ w["output_weight"].reshape(size, size) + w["output_bias"]).ravel()


def rotated(x, base):
    half = x.shape[1] // 2
    angles = np.arange(len(x))[:, None] * base ** (-2 * np.arange(half) / x.shape[1])
    a, b = x[:, :half], x[:, half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)], axis=1)


def plain_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sparsemax(x, loom=False):
    z = np.sort(x)[::-1]
    size = max(k for k in range(1, len(z) + 1) if 1 + k * z[k - 1] > z[:k].sum())
    return np.maximum(x - ((1 + loom) * z[:size].sum() - 1) / size, 0)


def softmax(d, w, x, loom=False):
    kind, t = d.get("softmax_variant", "standard"), d.get("temperature") or 1.0
    if kind == "sparse":
        return sparsemax(x, True) if loom else sparsemax(x / t)
    if kind == "entmax":
        share = d["entmax_alpha"] - 1
        blend = (1 - share) * plain_softmax(x) + share * sparsemax(x, True)
        return blend / blend.sum()
    if kind == "masked":
        return plain_softmax(np.where(d["mask"], x, -1e9) / t)
    columns = {"grid": d.get("softmax_cols"), "hierarchical": (d.get("hierarchy_levels") or [0])[-1]}.get(kind) or x.size
    t = 1.0 if loom and kind in ("adaptive", "mixture") else t
    return plain_softmax(x.reshape(-1, columns) / t).ravel()


def layer_norm(d, w, x):
    rows = x.reshape(-1, d["norm_size"])
    y = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + d.get("epsilon", 1e-5))
    return (y * w["gamma"] + w["beta"]).ravel()


def rms_norm(d, w, x):
    rows = x.reshape(-1, d["norm_size"])
    return (rows / np.sqrt((rows**2).mean(1, keepdims=True) + d.get("epsilon", 1e-6)) * w["gamma"]).ravel()


def swiglu(d, w, x):
    rows, n, m = x.reshape(-1, d["input_height"]), d["input_height"], d["output_height"]
    gate, up = (rows @ w[f"{k}_weights"].reshape(n, m) + w[f"{k}_bias"] for k in ("gate", "up"))
    return (gate * ACTIVATIONS["sigmoid"](gate) * up @ w["down_weights"].reshape(m, n) + w["down_bias"]).ravel()


def embedding(d, w, x):
    return w["embedding_weights"].reshape(d["vocab_size"], -1)[x.astype(int)].ravel()


def kmeans(d, w, x):
    f = sequence(d["branches"], w["branch_weights"], x)
    centers = w["cluster_centers"].reshape(d["num_clusters"], -1)
    p = plain_softmax(-((f - centers) ** 2).sum(1) / (2 * (d.get("kmeans_temperature") or 1.0) ** 2))
    return p if d.get("kmeans_output_mode", "probabilities") == "probabilities" else p @ centers


def parallel(d, w, x):
    outputs = [run(one, own, x) for one, own in zip(d["branches"], w["branch_weights"], strict=True)]
    mode = d.get("combine_mode") or "concat"
    if mode == "grid_scatter":
        places = {p["branch_index"]: (p["target_row"], p["target_col"], p.get("target_layer", 0)) for p in d["grid_positions"]}
        return np.concatenate([outputs[i] for i in sorted(places, key=places.__getitem__)])
    if mode == "concat":
        return np.concatenate(outputs)
    width = max(map(len, outputs))
    stacked = np.stack([np.pad(y, (0, width - len(y))) for y in outputs])
    if mode == "filter" and "filter_gate" in w:
        logits = run(d["filter_gate"], w["filter_gate"], x)
        return plain_softmax(logits / (d.get("filter_temperature") or 1.0)) @ stacked
    return stacked.sum(0) if mode == "add" else stacked.mean(0)


LAYERS = {
    "conv1d": convolution(1),
    "conv2d": convolution(2),
    "conv3d": convolution(3),
    "dense": dense,
    "embedding": embedding,
    "kmeans": kmeans,
    "layer_norm": layer_norm,
    "lstm": lstm,
    "multi_head_attention": attention,
    "parallel": parallel,
    "rms_norm": rms_norm,
    "rnn": rnn,
    "sequential": lambda d, w, x: sequence(d["branches"], w["branch_weights"], x),
    "softmax": softmax,
    "swiglu": swiglu,
}


def sizes(layer: dict[str, Any]) -> dict[str, Any]:
    """How many numbers each array of a layer has."""
    d = layer
    match d["type"]:
        case "dense":
            return {"kernel": d["input_height"] * d["output_height"], "biases": d["output_height"]}
        case "conv1d" | "conv2d" | "conv3d":
            axes = int(d["type"][4])
            names = ("conv3d_kernel", "conv3d_bias") if axes == 3 else ("kernel", "conv_bias")
            return {names[0]: d["filters"] * d["input_channels"] * d["kernel_size"] ** axes, names[1]: d["filters"]}
        case "rnn" | "lstm":
            n, h = d["input_size"], d["hidden_size"]
            if d["type"] == "rnn":
                return {"weight_ih": h * n, "weight_hh": h * h, "bias_h": h}
            return (
                {f"weight_i{g}": h * n for g in "ifgo"}
                | {f"weight_h{g}": h * h for g in "ifgo"}
                | {f"bias_{g}": h for g in "ifgo"}
            )
        case "multi_head_attention":
            n, kv = d["d_model"], d.get("kv", d["d_model"])
            wide = {"q_weights": n * n, "k_weights": n * kv, "v_weights": n * kv, "output_weight": n * n}
            return wide | {"q_bias": n, "k_bias": kv, "v_bias": kv, "output_bias": n}
        case "layer_norm":
            return {"gamma": d["norm_size"], "beta": d["norm_size"]}
        case "rms_norm":
            return {"gamma": d["norm_size"]}
        case "swiglu":
            n, m = d["input_height"], d["output_height"]
            return {
                "gate_weights": n * m,
                "up_weights": n * m,
                "down_weights": m * n,
                "gate_bias": m,
                "up_bias": m,
                "down_bias": n,
            }
        case "embedding":
            return {"embedding_weights": d["vocab_size"] * d["embedding_dim"]}
        case "kmeans":
            return {"cluster_centers": d["num_clusters"] * d["cluster_dim"]}
    return {}


def drawn(layer: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Random weights for a layer and what is inside it."""
    found: dict[str, Any] = {name: 0.6 * rng.standard_normal(size).astype(np.float32) for name, size in sizes(layer).items()}
    if "branches" in layer:
        found["branch_weights"] = [drawn(one, rng) for one in layer["branches"]]
    if "filter_gate" in layer:
        found["filter_gate"] = drawn(layer["filter_gate"], rng)
    return found


def plain(weights: Any) -> Any:
    """Weights as JSON has them."""
    if isinstance(weights, dict):
        return {name: plain(value) for name, value in weights.items()}
    return [plain(one) for one in weights] if isinstance(weights, list) else weights.tolist()


def bundle(
    layers: list[dict[str, Any]], weights: list[dict[str, Any]], grid: tuple[int, int, int] | None = None, id: str = "m"
) -> str:
    """The text of a bundle, as another writer than ours would have it."""
    rows, columns, deep = grid or (1, 1, len(layers))
    given = [{key: value for key, value in layer.items() if key != "kv"} for layer in layers]
    config = {"id": id, "batch_size": 1, "grid_rows": rows, "grid_cols": columns, "layers_per_cell": deep, "layers": given}
    data = base64.b64encode(json.dumps({"type": "float32", "dtype": "", "layers": plain(weights)}).encode()).decode()
    model = {"id": id, "cfg": config, "weights": {"fmt": "jsonModelB64", "data": data}}
    return json.dumps({"type": "modelhost/bundle", "version": 1, "models": [model]})


def payload(text: str, model: int = 0) -> dict[str, Any]:
    """The weights in a bundle's text."""
    return json.loads(base64.b64decode(json.loads(text)["models"][model]["weights"]["data"]))
