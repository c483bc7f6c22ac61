"""Whether the parts of a run fit one another, by shapes alone, so that no run ends in its first step or evaluation."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import Problem, brief, nearest
from zerfoo_jax.core.layer import Walk, problems_of
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.experiment.schema import Experiment
from zerfoo_jax.metrics import Metric
from zerfoo_jax.numeric import policy
from zerfoo_jax.training.gradients import Loss, Objective


def misfits(config: Experiment, dataset: Dataset, walk: Walk, loss: Loss, metrics: Mapping[str, Metric]) -> list[Problem]:
    """What is wrong between model, data, loss, metrics and what is monitored; places are config paths."""
    problems = [*_monitors(config, metrics), *_parts(config, dataset)]
    output: Tree = walk.visits[-1].output
    if not jax.tree.leaves(walk.visits[-1].params):
        problems.append(Problem("the model has no parameters: there is nothing to train", "model", "add a layer such as Dense"))
    targets = dataset.train.batch(np.arange(1))["targets"]
    weights = Spec((1,), jnp.float32)
    objective = Objective(walk.visits[-1].layer, loss, {}, policy("float32"))
    unfit = _tried("loss", lambda *given: objective.loss_sums(given[0], {"targets": given[1]}), output, targets)
    if not isinstance(output, Spec):
        several = Problem(
            f"the model has {len(output)} outputs, which this loss does not take", "model", "name one in `outputs`"
        )
        return [*problems, *([several] if unfit else [])]
    problems += unfit
    for i, metric in enumerate(metrics.values()):
        problems += _tried(
            f"metrics[{i}]", lambda *given, m=metric: _one_number(m.compute(m.update(*given))), output, targets, weights
        )
    classes = dataset.vocab_size or len(dataset.classes)
    if dataset.kind != "regression" and not problems and output.shape[-1] < classes:
        cause = f"the model has {output.shape[-1]} outputs, the data {classes} classes"
        problems.append(Problem(cause, "model", f"give its end, and its beginning if it embeds tokens, {classes}"))
    return problems


def _parts(config: Experiment, dataset: Dataset) -> list[Problem]:
    """Whether there is enough to train and validate on, and both parts are alike."""
    sizes = len(dataset.train), len(dataset.validation)
    if not all(sizes):
        return [Problem(f"{sizes[0]} training and {sizes[1]} validation examples: both parts need some", "data")]
    problems = []
    if config.train.batch_size > sizes[0]:
        cause = f"batch_size = {config.train.batch_size} is more than the {sizes[0]} training examples"
        problems.append(Problem(cause, "train.batch_size", f"at most {sizes[0]}"))
    train, validation = (
        {name: (x.shape, str(x.dtype)) for name, x in part.batch(np.arange(1)).items()}
        for part in (dataset.train, dataset.validation)
    )
    problems += [
        Problem(f"{name} are {train[name]} for training and {validation[name]} for validation", "data", "prepare both alike")
        for name in train
        if train[name] != validation[name]
    ]
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
