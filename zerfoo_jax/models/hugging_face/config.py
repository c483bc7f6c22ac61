"""Reading a `config.json` as the Hugging Face hub keeps it: what is needed, and what is not supported."""

from collections.abc import Mapping
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem, brief, nearest

Config = Mapping[str, Any]

ACTIVATION_NAMES = {
    "gelu": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""Their names of non-linearities, and ours."""


def needed(config: Config, **theirs: str) -> dict[str, Any]:
    """The values of the keys that must be there, by our names.

    >>> needed({"n_layer": 12}, num_layers="n_layer")
    {'num_layers': 12}
    """
    missing = [Problem(f"config.json has no {key!r}", key, f"add {key}: ...") for key in theirs.values() if key not in config]
    if missing:
        raise ConfigError(missing)
    return {ours: config[key] for ours, key in theirs.items()}


def expect_settings(config: Config, **supported: Any) -> None:
    """Raises unless each of these keys is absent, null, or has the one value that our model stands for.

    >>> expect_settings({"scale_attn_weights": True}, scale_attn_weights=True, add_cross_attention=False)
    """
    problems = [
        Problem(f"{key} = {brief(config[key])} is not supported, only {wanted!r}", key)
        for key, wanted in supported.items()
        if config.get(key) not in (None, wanted)
    ]
    if problems:
        raise ConfigError(problems)


def activation_name(config: Config, key: str, default: str) -> str:
    """Our name of the non-linearity that `key` names.

    >>> activation_name({"activation_function": "gelu_new"}, "activation_function", "gelu_new")
    'gelu_tanh'
    """
    name = config.get(key) or default
    if name not in ACTIVATION_NAMES:
        raise ConfigError(f"{key} = {brief(name)} is not supported", place=key, fix=nearest(name, ACTIVATION_NAMES))
    return ACTIVATION_NAMES[name]
