"""Whether the parts of a run fit one another, by shapes alone, so that no run ends in its first step or evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import Problem, brief, nearest
from zerfoo_jax.core.layer import problems_of
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.experiment.schema import Experiment
from zerfoo_jax.metrics import Metric
from zerfoo_jax.training.gradients import Loss


def misfits(config: Experiment, dataset: Dataset, output: Tree, loss: Loss, metrics: Mapping[str, Metric]) -> list[Problem]:
    """What is wrong between model, data, loss, metrics and what is monitored; places are config paths."""
    problems = _monitors(config, metrics)
    if not isinstance(output, Spec):
        count = len(jax.tree.leaves(output))
        return [Problem(f"the model has {count} outputs, a run needs one", "model", "name one in `outputs`"), *problems]
    targets = dataset.train.batch(np.arange(1))["targets"]
    weights = Spec((1,), jnp.float32)
    problems += _tried("loss", loss, output, targets)
    for i, metric in enumerate(metrics.values()):
        problems += _tried(
            f"metrics[{i}]", lambda *given, m=metric: _one_number(m.compute(m.update(*given))), output, targets, weights
        )
    classes = len(dataset.classes)
    if dataset.kind == "classification" and not problems and output.shape[-1] < classes:
        cause = f"the model has {output.shape[-1]} outputs, the data {classes} classes"
        problems.append(Problem(cause, "model", f"end it with features: {classes}"))
    return problems


def _tried(place: str, function: Callable[..., Any], *given: Any) -> list[Problem]:
    try:
        jax.eval_shape(function, *given)
    except Exception as error:  # whatever a user's own loss raises
        return [problem.under(place) for problem in problems_of(error)]
    return []


def _one_number(value: Any) -> Any:
    if jnp.shape(value):
        raise ValueError(f"a metric of a run is one number, this one is of shape {jnp.shape(value)}")
    return value


def _monitors(config: Experiment, metrics: Mapping[str, Metric]) -> list[Problem]:
    measured = ["validation/loss", *(f"validation/{name}" for name in metrics)]
    stopping = config.train.early_stopping
    monitored = {"checkpoint.monitor": config.checkpoint.monitor}
    if stopping:
        monitored["train.early_stopping.monitor"] = stopping.monitor
    return [
        Problem(f"{place} = {brief(name)} is not measured", place, nearest(name, measured))
        for place, name in monitored.items()
        if name not in measured
    ]
