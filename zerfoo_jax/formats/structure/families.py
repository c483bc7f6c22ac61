"""Models of the Hugging Face hub, by the names of their tensors."""

from collections.abc import Callable, Mapping
import re
from typing import Any, NamedTuple

import numpy as np


class Family(NamedTuple):
    """A family of the hub as its tensors tell of it: the sizes for its `config.json`, and what that has to tell besides."""

    name: str
    why: str
    config: Mapping[str, Any]
    open: tuple[str, ...]


Shapes = Callable[[str], tuple[int, ...]]


def family_of(tensors: Mapping[str, np.ndarray]) -> Family | None:
    """The family whose first block these tensors have, None for any other model."""
    for kind, (mark, read, open_) in _FAMILIES.items():
        first = next((name for name in tensors if name.endswith(mark)), None)
        if first is not None:
            prefix = first.removesuffix(mark)
            try:
                config = read(lambda name, prefix=prefix: tensors[prefix + name].shape, _blocks(tensors, prefix + mark))
            except (KeyError, IndexError, ValueError):
                continue  # it shares a name with the family and no more
            return Family(kind, f"{first!r} is what a {kind} model has", {"model_type": kind, **config}, open_)
    return None


def _blocks(tensors: Mapping[str, np.ndarray], first: str) -> int:
    """How many blocks there are of which `first`, with its 0, is a tensor of the first."""
    pattern = re.compile(re.escape(first).replace(r"\.0\.", r"\.\d{1,5}\.", 1))
    return sum(1 for name in tensors if pattern.fullmatch(name))


def _gpt2(shape: Shapes, blocks: int) -> dict[str, Any]:
    (vocabulary, features), (length, _) = shape("wte.weight"), shape("wpe.weight")
    return {"vocab_size": vocabulary, "n_positions": length, "n_embd": features, "n_layer": blocks} | {
        "n_inner": shape("h.0.mlp.c_fc.weight")[1]
    }


def _bert(shape: Shapes, blocks: int) -> dict[str, Any]:
    vocabulary, features = shape("embeddings.word_embeddings.weight")
    return {
        "vocab_size": vocabulary,
        "hidden_size": features,
        "num_hidden_layers": blocks,
        "intermediate_size": shape("encoder.layer.0.intermediate.dense.weight")[0],
        "max_position_embeddings": shape("embeddings.position_embeddings.weight")[0],
        "type_vocab_size": shape("embeddings.token_type_embeddings.weight")[0],
    }


def _llama(shape: Shapes, blocks: int) -> dict[str, Any]:
    vocabulary, features = shape("embed_tokens.weight")
    hidden = shape("layers.0.mlp.gate_proj.weight")[0]
    return {"vocab_size": vocabulary, "hidden_size": features, "num_hidden_layers": blocks, "intermediate_size": hidden}


_HEADS = ("num_attention_heads",)
_FAMILIES: Mapping[str, tuple[str, Callable[[Shapes, int], dict[str, Any]], tuple[str, ...]]] = {
    "bert": ("encoder.layer.0.attention.self.query.weight", _bert, (*_HEADS, "layer_norm_eps", "hidden_act")),
    "gpt2": ("h.0.attn.c_attn.weight", _gpt2, ("n_head", "activation_function")),
    "llama": (
        "layers.0.self_attn.q_proj.weight",
        _llama,
        (*_HEADS, "num_key_value_heads", "rope_theta", "rms_norm_eps", "model_type: mistral, qwen2, qwen3 or gemma"),
    ),
}
"""The tensor that marks the first block, how to read the sizes, and what stays open."""
