"""The exact gradient of the weighted mean loss over a batch, in one piece or in micro-batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from inspect import signature
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Batch, Params, State, Tree
from zerfoo_jax.losses.base import Weighted
from zerfoo_jax.metrics.base import Metric, fold_sums
from zerfoo_jax.numeric import Policy, cast_floating, widened
from zerfoo_jax.numeric.weighting import mean_of, spread, weighted_sums

Loss = Callable[..., Any]
"""`(outputs, targets)` -> one number per example (or `losses.base.Weighted` ones), or `(outputs, targets, weights)` -> sums."""
RESERVED = {"loss", "skipped", "auxiliary_loss", "learning_rate_scale"}
AUXILIARY = "auxiliary_loss"
"""The name of a number in a layer's state that is to be minimised besides the loss, such as a balance of experts."""


@dataclass(frozen=True)
class Objective:
    """What is minimised and what is measured: a model, a loss, metrics and a precision policy."""

    model: Layer
    loss: Loss
    metrics: Mapping[str, Metric]
    policy: Policy

    def __post_init__(self) -> None:
        for name in RESERVED & set(self.metrics):
            raise ConfigError(f"a metric cannot be called {name!r}: that is what the step itself reports", fix="rename it")

    def run(self, params: Params, state: State, batch: Batch, key: Array | None, train: bool) -> tuple[Tree, State]:
        """The model's output in the policy's output dtype, and its new state.

        Several outputs stay in the compute dtype: a head that leaves its product to the loss wants it in that precision.
        """
        compute = self.policy.compute
        outputs, new_state = self.model.apply(
            cast_floating(params, compute), state, cast_floating(batch["inputs"], compute), key=key, train=train
        )
        return outputs if isinstance(outputs, tuple) else cast_floating(outputs, self.policy.output), new_state

    def loss_sums(self, outputs: Tree, batch: Batch) -> dict[str, Array]:
        """Σ w l and Σ w of the loss l over the batch."""
        targets, weights = batch["targets"], weights_of(batch)
        if _sums_itself(self.loss):
            return self.loss(outputs, targets, weights)
        each = self.loss(outputs, targets)
        if isinstance(each, Weighted):
            value, own = each
            return weighted_sums(value, spread(weights, value.shape) * own.astype(weights.dtype))
        return weighted_sums(each, weights)

    def sums(self, outputs: Tree, batch: Batch) -> Tree:
        """Partial sums of the loss and of every metric."""
        targets, weights = batch["targets"], weights_of(batch)
        sums = {name: metric.update(outputs, targets, weights) for name, metric in self.metrics.items()}
        return {"loss": self.loss_sums(outputs, batch), **sums}

    def compute(self, sums: Tree) -> dict[str, Array]:
        """The values that added-up sums stand for."""
        means = {name: mean_of(sums[name]) for name in ("loss", AUXILIARY) if name in sums}
        return means | {name: metric.compute(sums[name]) for name, metric in self.metrics.items()}


@cache
def _sums_itself(loss: Loss) -> bool:
    """Whether a loss takes the weights too, as those do that make their gradients in the forward pass."""
    positional = [p for p in signature(loss).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return len(positional) == 3 and positional[2].name == "weights"


def weights_of(batch: Batch) -> Array:
    """How much each example counts, in float32 or wider: the batch's `weights`, or one each."""
    if "weights" not in batch:
        return jnp.ones(batch["targets"].shape[:1], jnp.float32)
    return widened(jnp.asarray(batch["weights"]))


def auxiliary_loss(state: State) -> Array | None:
    """The sum of all numbers called `auxiliary_loss` in the layers' state; None where there is none."""
    found = [x for path, x in jax.tree_util.tree_leaves_with_path(state) if path[-1] == jax.tree_util.DictKey(AUXILIARY)]
    return reduce(jnp.add, map(jnp.sum, found)) if found else None


def gradients(
    objective: Objective, params: Params, state: State, batch: Batch, key: Array, scale: Array | None, accumulate: int
) -> tuple[Params, State, Tree]:
    """Gradients of `scale` times the mean loss, the model's new state, and the sums of loss and metrics."""
    count = None if accumulate == 1 else _count(objective, params, state, batch, key)

    def scaled_loss(params: Params, state: State, part: Batch, key: Array) -> tuple[Array, tuple[State, Tree]]:
        outputs, new_state = objective.run(params, state, part, key, train=True)
        sums = objective.sums(outputs, part)
        auxiliary = auxiliary_loss(new_state)
        if auxiliary is not None:
            part_count = sums["loss"]["count"]
            sums[AUXILIARY] = {"sum": auxiliary.astype(part_count.dtype) * part_count, "count": part_count}
        total = sums["loss"]["sum"] + (0.0 if auxiliary is None else sums[AUXILIARY]["sum"])
        # Divided by the whole batch's weight before differentiating, not after: gradients of micro-batches then simply
        # add up, and half-precision gradients stay in range.
        mean = total / (sums["loss"]["count"] if count is None else count)
        return (mean if scale is None else mean * scale), (new_state, sums)

    differentiate = jax.grad(scaled_loss, has_aux=True)
    if accumulate == 1:
        grads, (state, sums) = differentiate(params, state, batch, key)
        return grads, state, sums
    return _accumulated(differentiate, params, state, split(batch, accumulate), key, accumulate)


def mean_loss(objective: Objective, params: Params, state: State, batch: Batch, key: Array) -> Array:
    """What `gradients` differentiates, of the batch in one piece; for optimizers that look along a line."""
    outputs, new_state = objective.run(params, state, batch, key, train=True)
    auxiliary = auxiliary_loss(new_state)
    mean = mean_of(objective.loss_sums(outputs, batch))
    return mean if auxiliary is None else mean + auxiliary.astype(mean.dtype)


def _count(objective: Objective, params: Params, state: State, batch: Batch, key: Array) -> Array:
    """Σ w over the whole batch. It depends on weights and targets only: stand-ins for the outputs will do."""
    outputs, _ = jax.eval_shape(lambda: objective.run(params, state, batch, key, train=True))
    return objective.loss_sums(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), outputs), batch)["count"]


def _accumulated(
    differentiate: Callable[..., Any], params: Params, state: State, parts: Batch, key: Array, count: int
) -> tuple[Params, State, Tree]:
    def add(carry: tuple[Params, State], part: tuple[Batch, Array]) -> tuple[tuple[Params, State], Tree]:
        grads, state = carry
        more, (state, sums) = differentiate(params, state, *part)
        return (jax.tree.map(jnp.add, grads, more), state), sums

    start = (jax.tree.map(jnp.zeros_like, params), state)
    (grads, state), sums = lax.scan(add, start, (parts, jax.random.split(key, count)))
    return grads, state, fold_sums(sums)


def split(batch: Batch, count: int) -> Batch:
    """The batch as `count` equal micro-batches along a new first axis, filled up with examples of weight 0.

    The filling repeats the last example: what is not finite on made-up zeros, such as the gradient of a norm, would be NaN
    even where it does not count.

    >>> split({"targets": jnp.array([5, 6, 7])}, 2)["weights"].tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    size = batch["targets"].shape[0]
    per_part = -(-size // count)

    def repeated(x: Array) -> Array:
        return jnp.repeat(x[-1:], count * per_part - size, axis=0)

    def cut(x: Array, filling: Array) -> Array:
        return jnp.concatenate([x, filling]).reshape(count, per_part, *x.shape[1:])

    weights = weights_of(batch)
    parts = jax.tree.map(lambda x: cut(x, repeated(x)), dict(batch))
    return {**parts, "weights": cut(weights, jnp.zeros_like(repeated(weights)))}
