"""What a run will need, from the compiled programs and without allocating anything."""

from dataclasses import dataclass

import jax
import numpy as np

from zerfoo_jax.core.layer import Visit
from zerfoo_jax.core.sizes import size_of
from zerfoo_jax.core.types import Spec
from zerfoo_jax.experiment.wiring import Wired


@dataclass(frozen=True)
class Estimate:
    """Sizes in bytes; operations per training step, or None where the compiler does not say."""

    parameters: int
    state_bytes: int
    peak_bytes: int | None
    flops_per_step: float | None


def estimate(wired: Wired) -> Estimate:
    """Compiles the training step for the config's batch size and reads off what it needs."""
    state = wired.abstract_state()
    compiled = wired.make_step().lower(state, batch_spec(wired)).compile()
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    return Estimate(
        parameters=size_of(state.params).numbers,
        state_bytes=size_of(state).bytes,
        peak_bytes=getattr(memory, "peak_memory_in_bytes", None),
        flops_per_step=cost.get("flops"),
    )


def batch_spec(wired: Wired) -> dict[str, Spec]:
    """Shapes and dtypes of a training batch."""
    example = wired.dataset.train.batch(np.arange(1))
    size = wired.config.train.batch_size
    return {name: Spec((size, *x.shape[1:]), jax.dtypes.canonicalize_dtype(x.dtype)) for name, x in example.items()}


def leaf_layers(wired: Wired) -> list[Visit]:
    """The layers that are not made of layers, with their shapes, for a table."""
    inside = {visit.path.rpartition("/")[0] for visit in wired.walk.visits if visit.path}
    return [visit for visit in wired.walk.visits if visit.path not in inside]
