"""Finds the layer in which a NaN or an infinity first appears.

The operations of the loss and of its gradient are run one by one. From a result that is not finite the search goes back along
what it was made of, to the earliest operation that makes a non-finite number out of finite ones (`engines/origin.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Batch, Params, State, Tree
from zerfoo_jax.engines import first_nonfinite
from zerfoo_jax.numeric import Policy, policy
from zerfoo_jax.training.gradients import Loss, Objective, gradients

Phase = Literal["arguments", "forward pass", "backward pass"]


@dataclass(frozen=True)
class Culprit:
    """Where the first non-finite number arose: the path of the layer (empty for the loss) or of the argument, the operation,
    and in which pass; in the backward pass means that the loss is finite and its gradient is not."""

    path: str
    operation: str
    phase: Phase = "forward pass"

    @property
    def in_data(self) -> bool:
        """Whether it is the batch itself that is not finite."""
        return self.operation == "batch is not finite"

    def __str__(self) -> str:
        if self.phase == "arguments":
            return f"{self.operation}: {self.path!r}"
        where = f"layer {self.path!r}" if self.path else "the loss"
        return f"{self.operation} in the {self.phase} of {where}"


def locate(
    model: Layer, loss: Loss, params: Params, state: State, batch: Batch, key: Array, *, precision: str | Policy = "float32"
) -> Culprit | None:
    """The first source of NaN or infinity in one step's loss and gradients; None if all numbers are finite.

    >>> from zerfoo_jax.layers import Dense, Sequential
    >>> from zerfoo_jax.losses import mse
    >>> model = Sequential((Dense(2), Dense(1)))
    >>> params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3), jnp.float32))
    >>> params["dense_1"]["kernel"] = params["dense_1"]["kernel"].at[0].set(1e38)
    >>> batch = {"inputs": 100 * jnp.ones((4, 3)), "targets": jnp.ones((4, 1))}
    >>> print(locate(model, mse, params, state, batch, jax.random.key(0)))
    dot_general in the forward pass of layer 'dense_1'
    """
    for role, tree in (("parameter", params), ("state", state), ("batch", batch)):
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            if not _finite(leaf):
                return Culprit("/".join(str(p.key) for p in path), f"{role} is not finite", "arguments")
    objective = Objective(model, loss, {}, policy(precision))

    def forward(params: Params, state: State, batch: Batch, key: Array) -> Tree:
        outputs, new_state = objective.run(params, state, batch, key, train=True)
        sums = objective.sums(outputs, batch)
        return objective.compute(sums), sums, new_state

    def backward(params: Params, state: State, batch: Batch, key: Array) -> Tree:
        return gradients(objective, params, state, batch, key, None, 1)

    # The forward pass alone comes first: differentiated, it also computes derivatives, which would be blamed on it.
    arguments = (params, state, batch, key)
    return _search_in(forward, arguments, "forward pass") or _search_in(backward, arguments, "backward pass")


def _search_in(function: Callable[..., Tree], arguments: tuple[Tree, ...], phase: Phase) -> Culprit | None:
    found = first_nonfinite(function, *arguments)
    return found and Culprit(found.layer, found.primitive, phase)


def _finite(x: Any) -> bool:
    return not jnp.issubdtype(x.dtype, jnp.inexact) or bool(jnp.all(jnp.isfinite(x)))
