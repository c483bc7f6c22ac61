"""BERT as the Hugging Face hub keeps it."""

from typing import Any

from zerfoo_jax.models.hugging_face.config import Config, activation_name, expect_settings, needed
from zerfoo_jax.models.state_dict import LINEAR, Names, Tensor
from zerfoo_jax.models.torch_names import Entries, kernel_and_bias, scale_and_bias

HEADS = (
    "cls.predictions.bias",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    "cls.predictions.transform.dense.weight",
    "cls.predictions.transform.dense.bias",
    "cls.predictions.transform.LayerNorm.weight",
    "cls.predictions.transform.LayerNorm.bias",
    "cls.seq_relationship.weight",
    "cls.seq_relationship.bias",
)
"""What the published files hold besides, for the two tasks of pre-training."""


def bert_arguments(config: Config) -> dict[str, Any]:
    """The arguments of `bert` for a `config.json` of model type `bert`. Its `hidden_dropout_prob` is our dropout."""
    expect_settings(config, is_decoder=False, add_cross_attention=False, position_embedding_type="absolute")
    sizes = needed(
        config,
        vocab_size="vocab_size",
        max_length="max_position_embeddings",
        num_token_types="type_vocab_size",
        num_layers="num_hidden_layers",
        features="hidden_size",
        num_heads="num_attention_heads",
        hidden="intermediate_size",
    )
    return sizes | {
        "activation": activation_name(config, "hidden_act", "gelu"),
        "epsilon": config.get("layer_norm_eps", 1e-12),
        "dropout": config.get("hidden_dropout_prob", 0.1),
    }


def bert_names(config: Config, prefix: str = "") -> Names:
    """The tensors of `BertModel`; with `prefix` "bert." those of a model with a head, whose own are left out."""
    names: Entries = {
        f"{prefix}embeddings.word_embeddings.weight": Tensor(("params/embeddings/words/embedding",)),
        f"{prefix}embeddings.position_embeddings.weight": Tensor(("params/embeddings/positions/embedding",)),
        f"{prefix}embeddings.token_type_embeddings.weight": Tensor(("params/embeddings/token_types/embedding",)),
        f"{prefix}embeddings.position_ids": None,
        **scale_and_bias(f"{prefix}embeddings.LayerNorm", "embeddings/norm"),
        **kernel_and_bias(f"{prefix}pooler.dense", "pooler/dense_0", LINEAR),
        **dict.fromkeys(HEADS),
    }
    for i in range(config["num_hidden_layers"]):
        names |= _block(f"{prefix}encoder.layer.{i}", "blocks", i)
    return names


def _block(name: str, path: str, index: int) -> Entries:
    linear = {
        "attention.self.query": "attention/query",
        "attention.self.key": "attention/key",
        "attention.self.value": "attention/value",
        "attention.output.dense": "attention/out",
        "intermediate.dense": "feed_forward/up",
        "output.dense": "feed_forward/down",
    }
    norms = {"attention.output.LayerNorm": "attention_norm", "output.LayerNorm": "feed_forward_norm"}
    entries: Entries = {}
    for theirs, ours in linear.items():
        entries |= kernel_and_bias(f"{name}.{theirs}", f"{path}/{ours}", LINEAR, index=index)
    for theirs, ours in norms.items():
        entries |= scale_and_bias(f"{name}.{theirs}", f"{path}/{ours}", index=index)
    return entries
