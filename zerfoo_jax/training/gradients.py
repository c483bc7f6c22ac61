"""The exact gradient of the weighted mean loss over a batch, in one piece or in micro-batches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Batch, Params, State, Tree
from zerfoo_jax.metrics.base import Metric, add_sums, weighted_sums
from zerfoo_jax.numeric import Policy, cast_floating, widened

Loss = Callable[[Array, Array], Array]
RESERVED = {"loss", "skipped"}


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

    def run(self, params: Params, state: State, batch: Batch, key: Array | None, train: bool) -> tuple[Array, State]:
        """The model's outputs in the policy's output dtype, and its new state."""
        compute = self.policy.compute
        outputs, new_state = self.model.apply(
            cast_floating(params, compute), state, cast_floating(batch["inputs"], compute), key=key, train=train
        )
        return cast_floating(outputs, self.policy.output), new_state

    def sums(self, outputs: Array, batch: Batch) -> Tree:
        """Partial sums of the loss and of every metric."""
        targets, weights = batch["targets"], weights_of(batch)
        sums = {name: metric.update(outputs, targets, weights) for name, metric in self.metrics.items()}
        return {"loss": weighted_sums(self.loss(outputs, targets), weights), **sums}

    def compute(self, sums: Tree) -> dict[str, Array]:
        """The values that added-up sums stand for."""
        values = {name: metric.compute(sums[name]) for name, metric in self.metrics.items()}
        return {"loss": sums["loss"]["sum"] / sums["loss"]["count"], **values}


def weights_of(batch: Batch) -> Array:
    """How much each example counts, in float32 or wider: the batch's `weights`, or one each."""
    if "weights" not in batch:
        return jnp.ones(batch["targets"].shape[:1], jnp.float32)
    return widened(jnp.asarray(batch["weights"]))


def gradients(
    objective: Objective, params: Params, state: State, batch: Batch, key: Array, scale: Array | None, accumulate: int
) -> tuple[Params, State, Tree]:
    """Gradients of `scale` times the mean loss, the model's new state, and the sums of loss and metrics."""
    total_weight = jnp.sum(weights_of(batch))

    def scaled_loss(params: Params, state: State, part: Batch, key: Array) -> tuple[Array, tuple[State, Tree]]:
        outputs, new_state = objective.run(params, state, part, key, train=True)
        sums = objective.sums(outputs, part)
        # Divided by the whole batch's weight before differentiating, not after: gradients of micro-batches then simply
        # add up, and half-precision gradients stay in range.
        numbers_per_weight = _size_ratio(objective, outputs, part)
        loss = sums["loss"]["sum"]
        mean = loss / (total_weight * numbers_per_weight).astype(loss.dtype)
        return (mean if scale is None else mean * scale), (new_state, sums)

    differentiate = jax.grad(scaled_loss, has_aux=True)
    if accumulate == 1:
        grads, (state, sums) = differentiate(params, state, batch, key)
        return grads, state, sums
    return _accumulated(differentiate, params, state, split(batch, accumulate), key, accumulate)


def _size_ratio(objective: Objective, outputs: Array, part: Batch) -> int:
    each = jax.eval_shape(objective.loss, outputs, part["targets"])
    return each.size // weights_of(part).size


def _accumulated(
    differentiate: Callable[..., Any], params: Params, state: State, parts: Batch, key: Array, count: int
) -> tuple[Params, State, Tree]:
    keys = jax.random.split(key, count)
    first = jax.tree.map(lambda x: x[0], parts)
    _, (state_shape, sums_shape) = jax.eval_shape(differentiate, params, state, first, keys[0])
    del state_shape

    def add(carry: tuple[Params, State, Tree], part: tuple[Batch, Array]) -> tuple[tuple[Params, State, Tree], None]:
        grads, state, sums = carry
        more, (state, more_sums) = differentiate(params, state, *part)
        return (jax.tree.map(jnp.add, grads, more), state, add_sums(sums, more_sums)), None

    zero_sums = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), sums_shape)
    start = (jax.tree.map(jnp.zeros_like, params), state, zero_sums)
    result, _ = lax.scan(add, start, (parts, keys))
    return result


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
