"""Which checkpoints stay: the last few, and the best few, independently of each other."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Literal

from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt, check_fields


@dataclass(frozen=True)
class Retention:
    """Keeps the last `keep_last` steps and the `keep_best` steps with the best `monitor` metric (none when it is empty).

    A step without the metric, or with NaN, is never best; of equal ones the earlier is better.

    >>> rule = Retention(keep_last=1, keep_best=1, monitor="loss")
    >>> sorted(rule.kept({10: {"loss": 0.5}, 20: {"loss": 0.9}, 30: {"loss": 0.7}}))
    [10, 30]
    """

    keep_last: PositiveInt = 2
    keep_best: NonNegativeInt = 1
    monitor: str = ""
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        check_fields(self)

    def kept(self, metrics: Mapping[int, Mapping[str, float]]) -> set[int]:
        """The steps that stay, of those in `metrics` (by step)."""
        return set(sorted(metrics)[-self.keep_last :]) | set(self.best(metrics))

    def best(self, metrics: Mapping[int, Mapping[str, float]]) -> list[int]:
        """The `keep_best` best steps, the very best first."""
        values = {step: values[self.monitor] for step, values in metrics.items() if self.monitor in values}
        sign = 1 if self.mode == "min" else -1
        ranked = sorted((sign * value, step) for step, value in values.items() if not math.isnan(value))
        return [step for _, step in ranked[: self.keep_best]]
