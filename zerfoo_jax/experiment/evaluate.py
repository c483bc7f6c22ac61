"""Scores of a model on the validation part."""

from collections.abc import Callable, Mapping
from typing import Any

from zerfoo_jax.core.types import Array, Params, State
from zerfoo_jax.data.sweep import sweep
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.metrics import Metric
from zerfoo_jax.metrics.base import add_sums
from zerfoo_jax.training import make_eval_step

Evaluate = Callable[[Params, State], dict[str, float]]


def make_evaluate(wired: Wired) -> Evaluate:
    """A function `(params, state) -> {"validation/loss": ..., ...}`, exact for a last partial batch too."""
    values_of = _make(wired, wired.metrics)

    def evaluate(params: Params, state: State) -> dict[str, float]:
        return {f"validation/{name}": float(value) for name, value in values_of(params, state).items()}

    return evaluate


def measure(wired: Wired, metric: Metric, params: Params, state: State) -> Array:
    """The value of one metric, of any shape."""
    return _make(wired, {"metric": metric})(params, state)["metric"]


def _make(wired: Wired, metrics: Mapping[str, Metric]) -> Callable[[Params, State], dict[str, Array]]:
    train = wired.config.train
    step, compute = make_eval_step(wired.model, wired.loss, metrics=metrics, precision=train.precision, engine=wired.engine)

    def run(params: Params, state: State) -> dict[str, Array]:
        sums: Any = None
        for batch in sweep(wired.dataset.validation, train.evaluate_batch_size or train.batch_size):
            part = step(params, state, batch)
            sums = part if sums is None else add_sums(sums, part)
        return compute(sums)

    return run
