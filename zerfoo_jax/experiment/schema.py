"""What a config file may say. Needs no JAX, so that a misspelt key is reported at once.

The sections `model`, `data`, `loss`, `metrics`, `optimizer` and its `schedule` name members of tables; the members check their
options themselves when the run is wired.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from zerfoo_jax.config.load import NamedSection, Section
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Probability


class PenaltySection(Section):
    """What is added to the loss: l1 Σ |p| + l2/2 Σ p² over the parameters that a pattern of `match` names."""

    l1: NonNegativeFloat = 0.0
    l2: NonNegativeFloat = 0.0
    match: tuple[str, ...] = Field(default=("**/kernel", "**/embedding"), strict=False)  # YAML gives a list


class LookaheadSection(Section):
    """Slow weights that go `alpha` of the way to the trained ones every so many steps."""

    every: PositiveInt = 5
    alpha: Fraction = 0.5


class GroupSection(Section):
    """What is different for the parameters whose path matches `match` and no earlier group's.

    Frozen, or with options of their own beside the optimizer's; with a `name`, with that optimizer and its options alone.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    match: str
    freeze: bool = False
    name: str | None = None
    learning_rate: PositiveFloat | None = None

    @model_validator(mode="after")
    def _frozen_or_different(self) -> "GroupSection":
        if self.freeze and (self.name or self.learning_rate or self.model_extra):
            raise ValueError("what is frozen has no options")
        return self


class OptimizerSection(NamedSection):
    """An optimizer, the course of its learning rate, groups of parameters, and what happens to gradients before it.

    Gradients pass the penalty, then the clips by unit (`clip_adaptive`), by value and by norm, in this order.
    """

    learning_rate: PositiveFloat = 1e-3
    schedule: NamedSection | None = None
    penalty: PenaltySection | None = None
    clip_adaptive: PositiveFloat | None = None
    clip_value: PositiveFloat | None = None
    clip_norm: PositiveFloat | None = None
    lookahead: LookaheadSection | None = None
    groups: tuple[GroupSection, ...] = Field(default=(), strict=False)  # YAML gives a list


class EarlyStoppingSection(Section):
    """Stop when the monitored metric has not improved for `patience` evaluations."""

    monitor: str = "validation/loss"
    mode: Literal["min", "max"] = "min"
    patience: PositiveInt = 5
    min_delta: float = 0.0


class NonfiniteSection(Section):
    """What to do when the loss or a gradient is NaN or infinite.

    `stop` ends the run with exit code 3; `skip` leaves the state as it was and goes on, at most `limit` times in a row;
    `rollback` returns to the newest checkpoint and goes on behind the bad batch, at most `limit` times in a run.
    """

    policy: Literal["stop", "skip", "rollback"] = "stop"
    limit: PositiveInt = 10


class AverageSection(Section):
    """The equal-weight mean of the parameters after steps `start`, `start` + `every`, ..., used for evaluation."""

    start: NonNegativeInt
    every: PositiveInt = 1


class TrainSection(Section):
    """How long, in what portions and in which precision to train.

    `steps` wins over `epochs` where both are given; `batch_size` counts all devices and processes.
    """

    steps: PositiveInt | None = None
    epochs: PositiveFloat | None = None
    batch_size: PositiveInt = 64
    evaluate_every: PositiveInt | None = None
    evaluate_batch_size: PositiveInt | None = None
    accumulate: PositiveInt = 1
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    ema_decay: Probability | None = None
    swa: AverageSection | None = None
    nonfinite: NonfiniteSection = NonfiniteSection()
    early_stopping: EarlyStoppingSection | None = None

    @model_validator(mode="after")
    def _some_length(self) -> "TrainSection":
        if self.steps is None and self.epochs is None:
            raise ValueError("give steps (or epochs)")
        return self

    @model_validator(mode="after")
    def _one_average(self) -> "TrainSection":
        if self.swa is not None and self.ema_decay is not None:
            raise ValueError("there is one average: give swa or ema_decay, and null for the other")
        return self


class CheckpointSection(Section):
    """When to save, and what to keep: the last ones and, independently, the best ones by a metric."""

    every: PositiveInt | None = None
    keep_last: PositiveInt = 2
    keep_best: NonNegativeInt = 1
    monitor: str = "validation/loss"
    mode: Literal["min", "max"] = "min"


class ActivitySection(Section):
    """Of which layers `activity.jsonl` says what they gave, every so many steps; patterns as in `core.recording.recorded`."""

    nodes: str | Annotated[tuple[str, ...], Field(strict=False)] = "**"  # YAML gives a list
    every: PositiveInt = 20


class LoggingSection(Section):
    """How often a line is written, and where besides `metrics.jsonl`."""

    every: PositiveInt = 10
    tensorboard: bool = True
    activity: ActivitySection | None = None


class RuntimeSection(Section):
    """Settings of the machine side; they do not change results, and a resumed run may change them."""

    compilation_cache: bool = True


class SearchSection(Section):
    """How `zerfoo search` chooses: the first `population` trials are random, later ones have parents among the last so many.

    A parent is the best of `tournament` drawn trials. It is crossed with a second one with probability `crossover`, and always
    mutated.
    """

    population: PositiveInt = 8
    tournament: PositiveInt = 3
    crossover: Fraction = 0.25


class Experiment(Section):
    """A whole run as data. `space` and `search` are for `zerfoo search`, to which the rest says how each trial is trained."""

    config_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: NonNegativeInt = 0
    model: dict[str, Any]
    data: NamedSection
    loss: str | NamedSection = "cross_entropy"
    metrics: tuple[str | NamedSection, ...] = Field(default=(), strict=False)  # YAML gives a list
    optimizer: OptimizerSection
    train: TrainSection
    engine: str | NamedSection = "xla"
    checkpoint: CheckpointSection = CheckpointSection()
    logging: LoggingSection = LoggingSection()
    runtime: RuntimeSection = RuntimeSection()
    space: dict[str, Any] | None = None
    search: SearchSection | None = None

    @field_validator("data", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given
