"""Finds, after a run has diverged, the layer it began in: by replaying from the newest checkpoint, which is exact."""

import jax
import jax.numpy as jnp
import numpy as np

from zerfoo_jax.checkpoint import Checkpoints
from zerfoo_jax.experiment.wiring import Wired
from zerfoo_jax.numeric.scaling import all_finite
from zerfoo_jax.training.locate import Culprit, locate
from zerfoo_jax.training.step import CompiledStep

MAX_REPLAYED_STEPS = 2000


def find_culprit(wired: Wired, checkpoints: Checkpoints, step: CompiledStep) -> Culprit | None:
    """The first source of a non-finite number behind the newest checkpoint; None if replaying meets none."""
    if checkpoints.latest_step() is None:
        state, start = wired.create_state(), 0
    else:
        restored = checkpoints.restore(wired.abstract_state(), repair=False)
        state, start = restored.tree, restored.step
    precision = wired.config.train.precision
    with wired.batches(start, min(wired.steps, start + MAX_REPLAYED_STEPS)) as loader:
        for loaded in loader:
            before = jax.tree.map(jnp.copy, (state.params, state.state, state.key, state.step))
            state, values = step(state, loaded.batch)
            healthy = (
                np.isfinite(float(values["loss"])) and not float(values.get("skipped", 0.0)) and bool(all_finite(state.params))
            )
            if not healthy:
                params, layer_state, key, number = before
                key = jax.random.fold_in(key, number)
                return locate(wired.model, wired.loss, params, layer_state, loaded.batch, key, precision=precision)
    return None
