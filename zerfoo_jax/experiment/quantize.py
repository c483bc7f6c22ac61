"""A run's model on codes: quantised, calibrated on its training batches, scored before and after."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zerfoo_jax.core.sizes import size_of
from zerfoo_jax.core.types import Array
from zerfoo_jax.experiment.evaluate import make_evaluate
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.graph.editing import Network, quantize_network
from zerfoo_jax.graph.editing.quantizing import To

BATCHES = 8
"""Training batches to calibrate on."""


@dataclass(frozen=True)
class Scored:
    """A model's scores on the validation part, and the bytes of its parameters and state."""

    network: Network
    scores: dict[str, float]
    bytes: int


def quantize_run(
    run: Path,
    *,
    to: To = "int8",
    weight_only: bool = False,
    calibrate: bool = True,
    method: str = "minmax",
    block: int | None = None,
    step: int | None = None,
    best: bool = False,
) -> tuple[Scored, Scored]:
    """A run's model before and after; options are those of `open_run` and `quantize_network`, whose errors are raised.

    With `calibrate` the ranges of activations are those of the first training batches; else each input's own.
    """
    trained = open_run(run, step, best)
    wired = trained.wired
    network = Network(wired.model, trained.state.best_params, trained.state.state, (wired.input_spec,))
    batches = _inputs(wired) if calibrate and not weight_only else None
    small = quantize_network(network, to=to, weight_only=weight_only, calibrate=batches, method=method, block=block)
    return _scored(wired, network), _scored(wired, small)


def _inputs(wired: Wired) -> Iterator[tuple[Array]]:
    with wired.batches(0, BATCHES) as loader:
        for loaded in loader:
            yield (loaded.batch["inputs"],)


def _scored(wired: Wired, network: Network) -> Scored:
    scores = make_evaluate(replace(wired, model=network.model))(network.params, network.state)
    return Scored(network, scores, size_of((network.params, network.state)).bytes)


def as_record(before: Scored, after: Scored) -> dict[str, Any]:
    """What there is to say of the two, as one mapping."""
    return {
        name: {"before": old, "after": new}
        for name, old, new in (
            *((name, old, after.scores[name]) for name, old in before.scores.items()),
            ("bytes", before.bytes, after.bytes),
        )
    }
