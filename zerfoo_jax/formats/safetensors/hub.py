"""Models of the Hugging Face hub: safetensors files with a `config.json` beside them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zerfoo_jax.config.strict_json import parse
from zerfoo_jax.core.errors import CheckpointError, ConfigError, FormatError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.files import beside, read_bytes
from zerfoo_jax.formats.limits import MAX_HEADER
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.models.hugging_face import read_model
from zerfoo_jax.models.hugging_face.families import FAMILIES

CONFIG = "config.json"


def from_hub(folder: Path, tensors: Mapping[str, np.ndarray]) -> Network | None:
    """The model that the folder's `config.json` describes, with these arrays; None without one of a known `model_type`.

    Raises `FormatError` for settings that are not supported, and arrays that do not fit.
    """
    if not (folder / CONFIG).exists():
        return None
    try:
        config = parse(read_bytes(beside(folder, CONFIG, CONFIG), MAX_HEADER).decode(errors="replace"), CONFIG)
        kind = config.get("model_type") if isinstance(config, dict) else None
        if not isinstance(kind, str) or kind not in FAMILIES:
            return None
        _expect_no_more_layers(config, len(tensors))
        return Network(*read_model(config, tensors), (Spec((1, 1), "int32"),))
    except (CheckpointError, ConfigError) as error:
        raise FormatError([problem.under(CONFIG) for problem in error.problems]) from error


def _expect_no_more_layers(config: Mapping[str, object], tensors: int) -> None:
    """Raises for more layers than tensors: the names of a layer's tensors are made before they are looked for."""
    for key in ("n_layer", "num_hidden_layers"):
        count = config.get(key, 0)
        if isinstance(count, int) and count > tensors:
            raise FormatError(f"{key} = {count:,}, but there are {tensors:,} tensors", place=CONFIG)
