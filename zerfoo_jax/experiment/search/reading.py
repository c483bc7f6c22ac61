"""The config of a search, in which everything but the data may be left out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
import re
from typing import Any

import numpy as np

from zerfoo_jax.config.load import Places
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.data import DATASETS
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.experiment.reading import read_config, with_paths_from
from zerfoo_jax.experiment.schema import Experiment


def read_search(
    path: Path, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> tuple[Experiment, Places]:
    """The checked config of a search and the places of its values.

    A section that is left out is one that suits the data: the model has an output for each class or target number, class
    ids are learnt by cross-entropy and ranked by accuracy, numbers are learnt and ranked by the mean squared error. The name
    is the file's. What is written is taken as it is.
    """
    overrides = list(overrides)
    config, places = read_config(path, overrides, environment, {**_named(path), **SECTIONS})
    try:
        dataset: Dataset = bind(DATASETS, with_paths_from(config, places.folder).data.spec(), "dataset")()
    except ConfigError as error:
        raise places.locate(error, "data") from None
    warmup = min(50, (config.train.steps or 0) // 8)  # no longer than the run that it begins
    optimizer = {**SECTIONS["optimizer"], "schedule": {"name": "cosine", "warmup_steps": warmup}}
    absent = {**_named(path), **SECTIONS, **suited(dataset), "optimizer": optimizer}
    return read_config(path, overrides, environment, absent)


SECTIONS: Mapping[str, Any] = {
    "model": {"name": "generated", "features": 1},
    "optimizer": {"name": "adamw", "weight_decay": 0.05, "schedule": {"name": "cosine"}},
    "train": {"steps": 800, "evaluate_every": 400, "ema_decay": 0.99},
    "logging": {"every": 50, "tensorboard": False},
}
"""Those that do not depend on the data: long enough for the slowest of the default rates, short enough for many trials."""


def suited(dataset: Dataset) -> dict[str, Any]:
    """The sections that depend on the data.

    >>> suited(DATASETS["digits"]())["model"]
    {'name': 'generated', 'features': 10, 'inputs': 'rows'}
    """
    example = dataset.train.batch(np.arange(min(1, len(dataset.train))))
    inputs, targets = example["inputs"], example["targets"]
    kind = "sequences" if inputs.ndim == 3 else "rows"
    train = {"train": {**SECTIONS["train"], "batch_size": max(1, min(64, len(dataset.train)))}}
    if dataset.kind == "regression":
        model = {"name": "generated", "features": max(1, targets.shape[-1]) if targets.ndim > 1 else 1, "inputs": kind}
        return {**train, "model": model, "loss": "mse"}
    return {
        **train,
        "model": {"name": "generated", "features": max(1, dataset.vocab_size or len(dataset.classes)), "inputs": kind},
        "loss": {"name": "cross_entropy", "label_smoothing": 0.05},
        "metrics": ["accuracy"],
        "checkpoint": {"monitor": "validation/accuracy", "mode": "max"},
    }


def _named(path: Path) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)
    return {"name": name if name[:1].isalnum() else f"search{name}"}
