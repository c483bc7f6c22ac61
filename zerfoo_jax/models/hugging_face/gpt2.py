"""GPT-2 as the Hugging Face hub keeps it."""

from typing import Any

from zerfoo_jax.models.hugging_face.config import Config, activation_name, expect_settings, needed
from zerfoo_jax.models.state_dict import AS_IS, Names, Tensor
from zerfoo_jax.models.torch_names import Entries, kernel_and_bias, scale_and_bias


def gpt2_arguments(config: Config) -> dict[str, Any]:
    """The arguments of `gpt2` for a `config.json` of model type `gpt2`. Its `resid_pdrop` is our dropout."""
    expect_settings(
        config,
        add_cross_attention=False,
        scale_attn_by_inverse_layer_idx=False,
        scale_attn_weights=True,
        tie_word_embeddings=True,
    )
    sizes = needed(
        config,
        vocab_size="vocab_size",
        max_length="n_positions",
        num_layers="n_layer",
        features="n_embd",
        num_heads="n_head",
    )
    return sizes | {
        "hidden": config.get("n_inner") or 4 * sizes["features"],
        "activation": activation_name(config, "activation_function", "gelu_new"),
        "epsilon": config.get("layer_norm_epsilon", 1e-5),
        "dropout": config.get("resid_pdrop", 0.1),
    }


def gpt2_names(config: Config, prefix: str = "transformer.") -> Names:
    """The tensors of `GPT2LMHeadModel`; with `prefix` "" those of `GPT2Model`, as in the first published files."""
    names: Entries = {
        f"{prefix}wte.weight": Tensor(("params/embedding",)),
        f"{prefix}wpe.weight": Tensor(("params/inner/learned_positions_0/embedding",)),
        "lm_head.weight": None,  # the same array as wte
        **scale_and_bias(f"{prefix}ln_f", "inner/layer_norm_0"),
    }
    for i in range(config["n_layer"]):
        names |= _block(f"{prefix}h.{i}", "inner/stack_0", i)
    return names


def _block(name: str, path: str, index: int) -> Entries:
    parts = [f"params/{path}/attention/{part}" for part in ("query", "key", "value")]
    return {
        f"{name}.attn.c_attn.weight": Tensor(tuple(f"{part}/kernel" for part in parts), axis=1, index=index),
        f"{name}.attn.c_attn.bias": Tensor(tuple(f"{part}/bias" for part in parts), index=index),
        f"{name}.attn.bias": None,  # the causal mask
        f"{name}.attn.masked_bias": None,
        **kernel_and_bias(f"{name}.attn.c_proj", f"{path}/attention/out", AS_IS, index=index),
        **kernel_and_bias(f"{name}.mlp.c_fc", f"{path}/feed_forward/up", AS_IS, index=index),
        **kernel_and_bias(f"{name}.mlp.c_proj", f"{path}/feed_forward/down", AS_IS, index=index),
        **scale_and_bias(f"{name}.ln_1", f"{path}/attention_norm", index=index),
        **scale_and_bias(f"{name}.ln_2", f"{path}/feed_forward_norm", index=index),
    }
