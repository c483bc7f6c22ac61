"""Which of our architectures a model type of the hub is, and how to read one."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from zerfoo_jax.core.errors import ConfigError, brief, nearest
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import bind
from zerfoo_jax.core.types import Params, Spec, State
from zerfoo_jax.models.bert import bert
from zerfoo_jax.models.gpt2 import gpt2
from zerfoo_jax.models.hugging_face.bert import bert_arguments, bert_names
from zerfoo_jax.models.hugging_face.config import Config
from zerfoo_jax.models.hugging_face.gpt2 import gpt2_arguments, gpt2_names
from zerfoo_jax.models.hugging_face.llama import llama_arguments, llama_names
from zerfoo_jax.models.llama import llama
from zerfoo_jax.models.state_dict import Names, from_state_dict


class Family(NamedTuple):
    """How one model type of the hub becomes an architecture of ours."""

    name: str
    build: Callable[..., Layer]
    arguments: Callable[[Config], dict[str, Any]]
    names: Callable[[Config, str], Names]
    prefix: str
    """What the tensors' names begin with, in files that hold a head too."""


BERT = Family("bert", bert, bert_arguments, bert_names, "bert.")
GPT2 = Family("gpt2", gpt2, gpt2_arguments, gpt2_names, "transformer.")
LLAMA = Family("llama", llama, llama_arguments, llama_names, "model.")

FAMILIES: dict[str, Family] = {
    "bert": BERT,
    "gemma": LLAMA,
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA,
}
"""By the `model_type` of their `config.json`."""


def arguments_of(config: Config) -> dict[str, Any]:
    """A config's `model` section for a `config.json`: `name`, and the architecture's arguments, checked.

    Raises `ConfigError` for an unknown `model_type`, missing sizes, and settings that our architecture does not have.

    >>> config = {"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_layer": 24, "n_embd": 1024, "n_head": 16}
    >>> section = arguments_of(config)
    >>> section["name"], section["num_layers"], section["hidden"]
    ('gpt2', 24, 4096)
    """
    family = _family(config)
    section = {"name": family.name, **family.arguments(config)}
    bind({family.name: family.build}, section, "model")
    return section


def names_of(config: Config, prefix: str | None = None) -> Names:
    """The map from the tensors' names of a model with that `config.json` to our leaves, for `from_state_dict`.

    `prefix` is what the names of all but the head begin with, by default that of files that hold a head too.
    """
    family = _family(config)
    return family.names(config, family.prefix if prefix is None else prefix)


def read_model(config: Config, state_dict: Mapping[str, np.ndarray]) -> tuple[Layer, Params, State]:
    """The model that a `config.json` describes, with the arrays of `state_dict`: NumPy's, by the hub's names.

    Files of a model alone are read as well as those that hold a head too, and so are the first names of scale and bias. Raises
    `ConfigError` as `arguments_of` does, and one `CheckpointError` that lists all arrays that are missing or do not fit.
    """
    section, family = arguments_of(config), _family(config)
    model = bind({family.name: family.build}, section, "model")()
    arrays = {_todays(name): array for name, array in state_dict.items()}
    prefix = family.prefix if any(name.startswith(family.prefix) for name in arrays) else ""
    return model, *from_state_dict(model, family.names(config, prefix), arrays, Spec((1, 1), "int32"))


def _family(config: Config) -> Family:
    kind = config.get("model_type")
    if kind not in FAMILIES:
        raise ConfigError(f"unknown model_type {brief(kind)}", place="model_type", fix=nearest(kind, FAMILIES))
    return FAMILIES[kind]


def _todays(name: str) -> str:
    """A tensor's name as it is written since 2019."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
