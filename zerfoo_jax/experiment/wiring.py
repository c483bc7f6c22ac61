"""From a checked config to the parts of a run: data, model, loss, metrics, optimizer; every problem at once, with its line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from zerfoo_jax.config.load import NamedSection, Places
from zerfoo_jax.core.errors import ConfigError, DataError, FormatError, Problem
from zerfoo_jax.core.fields import LARGEST, options
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer, Walk
from zerfoo_jax.core.recording import recorded
from zerfoo_jax.core.spec import bind
from zerfoo_jax.core.types import Spec, Tree
from zerfoo_jax.data import DATASETS
from zerfoo_jax.data.loader import Loader, Place, to_device
from zerfoo_jax.data.source import Dataset
from zerfoo_jax.engines import Engine, engine_of
from zerfoo_jax.experiment.compatibility import misfits
from zerfoo_jax.experiment.model_section import model_of
from zerfoo_jax.experiment.optimizing import optimizer_of, schedule_of
from zerfoo_jax.experiment.reading import with_paths_from
from zerfoo_jax.experiment.schema import Experiment, LoggingSection, TrainSection
from zerfoo_jax.graph.editing import Network
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.metrics import METRICS, Metric
from zerfoo_jax.optim import Optimizer, Schedule
from zerfoo_jax.training import TrainState, make_train_step, stochastic_weight_averaging
from zerfoo_jax.training.activity import make_activity_step
from zerfoo_jax.training.gradients import Loss
from zerfoo_jax.training.step import CompiledStep, Decay

Made = TypeVar("Made")


@dataclass(frozen=True)
class Wired:
    """The parts of a run."""

    config: Experiment
    folder: Path
    """Where the config's relative paths count from."""
    dataset: Dataset
    model: Layer
    walk: Walk
    input_spec: Spec
    loss: Loss
    metrics: Mapping[str, Metric]
    optimizer: Optimizer
    schedule: Schedule
    steps: int
    engine: Engine
    start: Network | None = None
    """Where the parameters come from, if from a file; else they are drawn."""

    def writing_to(self, folder: Path) -> "Wired":
        """The parts of a run that keeps its files in this folder."""
        return replace(self, engine=self.engine.writing_to(folder))

    def create_state(self) -> TrainState:
        """The state before the first step."""
        key = fold_in_name(jax.random.key(self.config.seed), "train")
        precision, ema = self.config.train.precision, _decay(self.config.train, self.steps) is not None
        if self.start is not None:
            return TrainState.of(self.start.params, self.start.state, self.optimizer, key, precision=precision, ema=ema)
        return TrainState.create(self.model, self.optimizer, key, self.input_spec, precision=precision, ema=ema)

    def make_step(self) -> CompiledStep:
        """The training step that the config describes, not yet compiled."""
        train = self.config.train
        return make_train_step(
            self.model,
            self.loss,
            self.optimizer,
            metrics=self.metrics,
            precision=train.precision,
            accumulate=train.accumulate,
            ema_decay=_decay(train, self.steps),
            skip_nonfinite=train.nonfinite.policy == "skip",
            engine=self.engine,
        )

    def make_activity_step(self) -> CompiledStep | None:
        """What looks at the layers, where the config asks for it."""
        activity, train = self.config.logging.activity, self.config.train
        if activity is None:
            return None
        return make_activity_step(
            self.model, activity.nodes, precision=train.precision, accumulate=train.accumulate, engine=self.engine
        )

    def batches(self, start: int, stop: int, digest: str = "", place: Place = to_device) -> Loader:
        """The training batches of steps `start` to `stop`; the same for training, skipping and replaying."""
        train = self.config.train
        return Loader(
            self.dataset.train,
            train.batch_size,
            seed=self.config.seed,
            start_step=start,
            steps=stop,
            digest=digest,
            place=place,
        )

    def abstract_state(self) -> TrainState:
        """Shapes and dtypes of the state, without allocating it."""
        return jax.eval_shape(self.create_state)


def wire(config: Experiment, places: Places) -> Wired:
    """Builds all parts; raises one error that lists the problems of all sections with their place in the config."""
    problems: list[Problem] = []

    def part(section: str, make: Callable[[], Made]) -> Made | None:
        try:
            return make()
        except (DataError, FormatError) as error:
            problems.extend(error.problems)
        except ConfigError as error:
            problems.extend(places.locate(error, section).problems)
        return None

    absolute = with_paths_from(config, places.folder)
    dataset = part("data", lambda: bind(DATASETS, absolute.data.spec(), "dataset")())
    steps = part("train.epochs", lambda: _steps(config, dataset)) or 1
    loss = part("loss", lambda: bind(LOSSES, _spec(config.loss), "loss"))
    metrics = part("metrics", lambda: {_name(m): _metric(m, dataset) for m in config.metrics})
    schedule = part("optimizer.schedule", lambda: schedule_of(config.optimizer, steps))
    known = config.optimizer if schedule else config.optimizer.model_copy(update={"schedule": None})
    optimizer = part("optimizer", lambda: optimizer_of(known, steps))
    part("train.swa.start", lambda: _decay(config.train, steps))
    engine = part("engine", lambda: engine_of(_spec(config.engine)))
    example = part("data", lambda: _example(dataset)) if dataset else None
    model = part("", lambda: model_of(absolute.model, example))
    if optimizer and model and example:
        part("optimizer", lambda: _check_groups(optimizer, model[1].visits[-1].params))
    if problems or not (dataset and example and model and loss and optimizer and schedule and engine and metrics is not None):
        raise ConfigError(problems)
    part("logging.activity.nodes", lambda: _check_activity(config.logging, model[0], example))
    problems += misfits(config, dataset, model[1], loss, metrics)
    if problems:
        raise places.locate(ConfigError(problems))
    return Wired(
        config, places.folder, dataset, model[0], model[1], example, loss, metrics, optimizer, schedule, steps, engine, model[2]
    )


def _spec(section: str | NamedSection) -> str | dict[str, Any]:
    return section if isinstance(section, str) else section.spec()


def _name(section: str | NamedSection) -> str:
    return section if isinstance(section, str) else section.name


def _metric(section: str | NamedSection, dataset: Dataset | None) -> Metric:
    make = bind(METRICS, _spec(section), "metric")
    # Metrics in the targets' unit undo the data's normalisation, unless the config says otherwise.
    takes_scale = dataset and "scale" in options(make.func) and "scale" not in make.keywords
    return make(scale=dataset.scale) if dataset and takes_scale else make()


def _steps(config: Experiment, dataset: Dataset | None) -> int:
    if config.train.steps is not None or dataset is None or config.train.epochs is None:
        return config.train.steps or 1
    steps = round(config.train.epochs * len(dataset.train) / config.train.batch_size)
    if steps > LARGEST:
        raise ConfigError(f"epochs = {config.train.epochs} are {steps:.3g} steps, over {LARGEST}", fix="train for less")
    return max(1, steps)


def _check_groups(optimizer: Optimizer, params: Tree) -> None:
    """Whether every pattern of the optimizer finds parameters, by shapes alone."""
    jax.eval_shape(optimizer.init, params)


def _check_activity(logging: LoggingSection, model: Layer, example: Spec) -> None:
    """Whether every pattern of nodes finds some, by shapes alone."""
    if logging.activity is not None:
        run = partial(recorded(model, logging.activity.nodes), train=True)
        jax.eval_shape(lambda key, x: run(*model.init(key, example), x, key=key), jax.random.key(0), example)


def _decay(train: TrainSection, steps: int) -> Decay | None:
    if train.swa is None:
        return train.ema_decay
    if train.swa.start > steps:
        raise ConfigError(f"swa.start = {train.swa.start} is behind the last of {steps} steps", fix="start earlier")
    return stochastic_weight_averaging(start=train.swa.start, every=train.swa.every)


def _example(dataset: Dataset) -> Spec:
    """Shape and dtype of a batch of inputs, with one example."""
    inputs = dataset.train.batch(np.arange(1))["inputs"]
    return Spec(inputs.shape, jax.dtypes.canonicalize_dtype(inputs.dtype))
