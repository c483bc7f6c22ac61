"""Scores of a model on the validation part."""

from collections.abc import Callable, Mapping

from zerfoo_jax.core.types import Params, State
from zerfoo_jax.data.source import Source
from zerfoo_jax.data.sweep import sweep
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.metrics import Metric
from zerfoo_jax.metrics.base import add_sums
from zerfoo_jax.training import make_eval_step

Evaluate = Callable[[Params, State], dict[str, float]]


def make_evaluate(wired: Wired, metrics: Mapping[str, Metric] | None = None, source: Source | None = None) -> Evaluate:
    """A function `(params, state) -> {"validation/loss": ..., ...}`, exact for a last partial batch too."""
    train = wired.config.train
    step, compute = make_eval_step(wired.model, wired.loss, metrics=metrics or wired.metrics, precision=train.precision)
    batch_size = train.evaluate_batch_size or train.batch_size
    source = source or wired.dataset.validation

    def evaluate(params: Params, state: State) -> dict[str, float]:
        sums = None
        for batch in sweep(source, batch_size):
            part = step(params, state, batch)
            sums = part if sums is None else add_sums(sums, part)
        return {f"validation/{name}": float(value) for name, value in compute(sums).items()}

    return evaluate
