"""Llama and the models of its build - Mistral, Qwen2, Qwen3, Gemma - as the Hugging Face hub keeps them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import ConfigError, brief, nearest
from zerfoo_jax.models.hugging_face.config import Config, activation_name, expect_settings, needed
from zerfoo_jax.models.state_dict import AS_IS, LINEAR, Layout, Names, Tensor
from zerfoo_jax.models.torch_names import Entries, kernel_and_bias

SCALINGS = {
    "linear": (("factor",), ()),
    "llama3": (("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"), ()),
    "yarn": (("factor", "original_max_position_embeddings"), ("beta_fast", "beta_slow", "attention_factor")),
}
"""The kinds of `rope_type`, each with the options that it needs and those that it may have."""

FROM_ONE = Layout(lambda x: _wide(x) + 1, lambda x: _wide(x) - 1)
"""Gemma keeps how far a scale is from 1."""


def _wide(x: Any) -> Any:
    # 1 + x in bfloat16 would lose most of x.
    return x.astype(np.promote_types(x.dtype, np.float32))


PECULIARITIES: Mapping[str, Mapping[str, Any]] = {
    "gemma": {"scale_inputs": True},
    "llama": {},
    "mistral": {},
    "qwen2": {"attention_bias": "inputs"},
    "qwen3": {"qk_norm": True},
}
"""What a model type does that its `config.json` need not say."""


def llama_arguments(config: Config) -> dict[str, Any]:
    """The arguments of `llama` for a `config.json` of one of the model types in `PECULIARITIES`; dropout is left out."""
    kind = config["model_type"]
    expect_settings(config, mlp_bias=False, use_bidirectional_attention=False)
    sizes = needed(
        config,
        vocab_size="vocab_size",
        num_layers="num_hidden_layers",
        features="hidden_size",
        num_heads="num_attention_heads",
        hidden="intermediate_size",
    )
    return {
        **sizes,
        "num_kv_heads": config.get("num_key_value_heads") or sizes["num_heads"],
        "head_dim": config.get("head_dim") or sizes["features"] // sizes["num_heads"],
        "activation": _activation(config, kind),
        "epsilon": config.get("rms_norm_eps", 1e-6),
        "attention_bias": "all" if config.get("attention_bias") else "none",
        "sliding_window": _sliding_window(config, sizes["num_layers"]),
        "tied": config.get("tie_word_embeddings", kind == "gemma"),
        **_rotary(config),
        **PECULIARITIES[kind],
    }


def _activation(config: Config, kind: str) -> str:
    # The first Gemma files say "gelu" and mean the approximation they were trained with.
    return "gelu_tanh" if kind == "gemma" else activation_name(config, "hidden_act", "silu")


def _sliding_window(config: Config, num_layers: int) -> int | None:
    """The window that all layers share, or None."""
    if config["model_type"].startswith("qwen"):
        full = config.get("max_window_layers", num_layers) if config.get("use_sliding_window") else num_layers
        if 0 < full < num_layers:
            raise ConfigError(
                f"max_window_layers = {full} is not supported: a window in some of the {num_layers} layers only",
                place="max_window_layers",
            )
        return None if full >= num_layers else config.get("sliding_window")
    return config.get("sliding_window")


def _rotary(config: Config) -> dict[str, Any]:
    """Base and scaling of the rotary positions, which newer files keep in one mapping and older ones apart."""
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = {"rotary_base": float(given.get("rope_theta") or config.get("rope_theta", 10000.0))}
    kind = given.get("rope_type", given.get("type", "default"))
    if kind == "default":
        return base
    if kind not in SCALINGS:
        raise ConfigError(f"rope_type = {brief(kind)} is not supported", place="rope_scaling", fix=nearest(kind, SCALINGS))
    needs, may = SCALINGS[kind]
    expect_settings(given, mscale=None, mscale_all_dim=None, truncate=True, partial_rotary_factor=1.0)
    scaling = needed(given, **{key: key for key in needs}) | {key: given[key] for key in may if given.get(key) is not None}
    return base | {"rotary_scaling": {"name": kind, **scaling}}


def llama_names(config: Config, prefix: str = "model.") -> Names:
    """The tensors of `LlamaForCausalLM` and its like; with `prefix` "" those of `LlamaModel`, where the scores are tied."""
    arguments = llama_arguments(config)
    scale = FROM_ONE if config["model_type"] == "gemma" else AS_IS
    inner = "inner/" if arguments["tied"] else ""
    names: Entries = {
        f"{prefix}embed_tokens.weight": Tensor(("params/embedding" if arguments["tied"] else "params/embedding_0/embedding",)),
        "lm_head.weight": None if arguments["tied"] else Tensor(("params/vocabulary_head_0/kernel",)),
        f"{prefix}norm.weight": Tensor((f"params/{inner}rms_norm_0/scale",), scale),
    }
    for i in range(arguments["num_layers"]):
        names |= _block(f"{prefix}layers.{i}", f"{inner}stack_0", i, arguments, scale)
    return names


def _block(name: str, path: str, index: int, arguments: Mapping[str, Any], scale: Layout) -> Entries:
    biased = {"none": (), "inputs": ("query", "key", "value"), "all": ("query", "key", "value", "out")}
    entries: Entries = {}
    attention, feed_forward = f"{path}/attention", f"{path}/feed_forward"
    for theirs, ours in {"q": "query", "k": "key", "v": "value", "o": "out"}.items():
        bias = ours in biased[arguments["attention_bias"]]
        entries |= kernel_and_bias(f"{name}.self_attn.{theirs}_proj", f"{attention}/{ours}", LINEAR, bias=bias, index=index)
    for part in ("gate", "up", "down"):
        entries |= kernel_and_bias(f"{name}.mlp.{part}_proj", f"{feed_forward}/{part}", LINEAR, bias=False, index=index)
    norms = {"input_layernorm": "attention_norm", "post_attention_layernorm": "feed_forward_norm"}
    if arguments.get("qk_norm"):
        norms |= {"self_attn.q_norm": "attention/query_norm", "self_attn.k_norm": "attention/key_norm"}
    for theirs, ours in norms.items():
        entries[f"{name}.{theirs}.weight"] = Tensor((f"params/{path}/{ours}/scale",), scale, index=index)
    return entries
