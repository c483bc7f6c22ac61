"""What the layers give in training, beside the training step."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.recording import Activity, recorded
from zerfoo_jax.core.types import Batch
from zerfoo_jax.engines import Engine, engine_of
from zerfoo_jax.numeric import Policy, cast_floating, policy
from zerfoo_jax.training.gradients import split
from zerfoo_jax.training.state import TrainState
from zerfoo_jax.training.step import CompiledStep


def make_activity_step(
    model: Layer,
    nodes: str | Sequence[str] = "**",
    *,
    precision: str | Policy = "float32",
    accumulate: int = 1,
    engine: str | Mapping[str, Any] | Engine = "xla",
) -> CompiledStep:
    """A function `(state, batch) -> {path: summary}`: what the nodes give in the training step from this state on this batch.

    Call it before the step, which takes the state away. It is a program of its own that runs the model forward with the
    step's parameters, random numbers and mode: the step stays the same program, so recording cannot change the bits of
    what is trained. Of several micro-batches it looks at the first. Patterns and summaries are those of `recorded`.

    >>> import jax.numpy as jnp
    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> from zerfoo_jax.optim import sgd
    >>> model, batch = Sequential((Dense(2),)), {"inputs": jnp.ones((8, 3)), "targets": jnp.ones((8, 2))}
    >>> state = TrainState.create(model, sgd(0.1), jax.random.key(0), jax.ShapeDtypeStruct((8, 3), jnp.float32))
    >>> make_activity_step(model)(state, batch)["dense_0"].shape
    (6,)
    """
    run, compute = recorded(model, nodes), policy(precision).compute

    def step(state: TrainState, batch: Batch) -> Activity:
        key = jax.random.fold_in(state.key, state.step)
        if accumulate > 1:
            batch = jax.tree.map(lambda x: x[0], split(batch, accumulate))
            key = jax.random.split(key, accumulate)[0]
        params, inputs = cast_floating(state.params, compute), cast_floating(batch["inputs"], compute)
        return run(params, state.state, inputs, key=key, train=True)[2]

    return CompiledStep(step, "activity step", donate=False, engine=engine_of(engine))
