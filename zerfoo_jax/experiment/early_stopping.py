"""Stopping when a metric no longer improves; its state is plain data, saved in every checkpoint."""

from collections.abc import Mapping
import math
from typing import Any

from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.experiment.schema import EarlyStoppingSection

State = dict[str, Any]


def observe(section: EarlyStoppingSection, state: Mapping[str, Any], values: Mapping[str, float]) -> State:
    """The state after one more evaluation.

    >>> section = EarlyStoppingSection(monitor="loss", patience=1)
    >>> state = observe(section, {}, {"loss": 1.0})
    >>> exhausted(section, state), exhausted(section, observe(section, state, {"loss": 1.5}))
    (False, True)
    """
    if section.monitor not in values:
        raise ConfigError(
            f"early stopping monitors {section.monitor!r}, which is not measured",
            place="train.early_stopping.monitor",
            fix=nearest(section.monitor, values),
        )
    value = values[section.monitor]
    best = state.get("best")
    gain = math.inf if best is None else (best - value if section.mode == "min" else value - best)
    if gain > section.min_delta and not math.isnan(value):
        return {"best": value, "without_gain": 0}
    return {"best": best, "without_gain": state.get("without_gain", 0) + 1}


def exhausted(section: EarlyStoppingSection, state: Mapping[str, Any]) -> bool:
    """Whether patience has run out."""
    return state.get("without_gain", 0) >= section.patience
