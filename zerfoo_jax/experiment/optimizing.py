"""From the config's `optimizer` section to an optimizer and the course of its learning rate."""

from collections.abc import Callable
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.spec import bind
from zerfoo_jax.experiment.schema import GroupSection, OptimizerSection
from zerfoo_jax.optim import (
    OPTIMIZERS,
    SCHEDULES,
    Optimizer,
    Schedule,
    clipped,
    clipped_adaptively,
    clipped_by_value,
    grouped,
    lookahead,
    penalized,
)


def schedule_of(section: OptimizerSection, steps: int, learning_rate: float | None = None) -> Schedule:
    """The schedule of the section over so many steps, with this peak or the section's own."""
    make = bind(SCHEDULES, section.schedule.spec() if section.schedule else "constant", "schedule")
    return make(section.learning_rate if learning_rate is None else learning_rate, steps)


def optimizer_of(section: OptimizerSection, steps: int) -> Optimizer:
    """The optimizer of the section, with its groups and all that is wrapped around them."""
    optimizer = _member(section.name, _options(section), section, section.learning_rate, steps)
    if not section.groups:
        return _wrapped(section)(optimizer)
    groups: dict[str, Optimizer | None] = {}
    for i, group in enumerate(section.groups):
        if group.match in groups:
            raise ConfigError(f"{group.match!r} is matched by an earlier group", place=f"groups[{i}].match", fix="join both")
        try:
            groups[group.match] = None if group.freeze else _of_group(section, group, steps)
        except ConfigError as error:
            raise ConfigError([_within(f"groups[{i}]", problem) for problem in error.problems]) from None
    return grouped(optimizer, groups, around=_wrapped(section))


def _options(section: OptimizerSection | GroupSection) -> dict[str, Any]:
    # An option set to null is as if left out: so a setting can take back what a file says of another optimizer.
    return {name: value for name, value in (section.model_extra or {}).items() if value is not None}


def _of_group(section: OptimizerSection, group: GroupSection, steps: int) -> Optimizer:
    options = _options(group) if group.name else {**_options(section), **_options(group)}
    rate = section.learning_rate if group.learning_rate is None else group.learning_rate
    return _member(group.name or section.name, options, section, rate, steps)


def _member(name: str, options: dict[str, Any], section: OptimizerSection, learning_rate: float, steps: int) -> Optimizer:
    make = bind(OPTIMIZERS, {"name": name, **options}, "optimizer")
    return make(schedule_of(section, steps, learning_rate) if section.schedule else learning_rate)


def _wrapped(section: OptimizerSection) -> Callable[[Optimizer], Optimizer]:
    def wrap(optimizer: Optimizer) -> Optimizer:
        if section.clip_norm:
            optimizer = clipped(optimizer, section.clip_norm)
        if section.clip_value:
            optimizer = clipped_by_value(optimizer, section.clip_value)
        if section.clip_adaptive:
            optimizer = clipped_adaptively(optimizer, section.clip_adaptive)
        if section.penalty:
            optimizer = penalized(optimizer, **section.penalty.model_dump())
        if section.lookahead:
            optimizer = lookahead(optimizer, **section.lookahead.model_dump())
        return optimizer

    return wrap


def _within(place: str, problem: Problem) -> Problem:
    return Problem(problem.cause, ".".join(filter(None, (place, problem.place))), problem.fix)
