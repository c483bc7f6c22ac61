"""Losses for predicting numbers."""

import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Fraction, NonNegativeFloat, PositiveFloat
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.base import mean_per_example, size
from zerfoo_jax.numeric import widened
from zerfoo_jax.numeric.correlation import pearson
from zerfoo_jax.numeric.weighting import spread


def mse(outputs: Array, targets: Array) -> Array:
    """Squared error, averaged over all axes but the first, in float32 or wider: (batch, ...) -> (batch,).

    Raises `ShapeError` where the shapes differ.

    >>> mse(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]])).tolist()
    [2.5]
    """
    return mean_per_example(_error("mse", outputs, targets) ** 2)


def mae(outputs: Array, targets: Array) -> Array:
    """Absolute error, averaged over all axes but the first, in float32 or wider: (batch, ...) -> (batch,).

    Raises `ShapeError` where the shapes differ.

    >>> mae(jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 4.0]])).tolist()
    [1.5]
    """
    return mean_per_example(size(_error("mae", outputs, targets)))


@checked
def huber(outputs: Array, targets: Array, *, delta: PositiveFloat = 1.0) -> Array:
    """e²/2 for errors |e| <= δ, and δ (|e| - δ/2) beyond, averaged over all axes but the first: (batch, ...) -> (batch,).

    Huber (1964). Raises `ShapeError` where the shapes differ.

    >>> huber(jnp.array([0.5, 3.0]), jnp.zeros(2), delta=2.0).tolist()
    [0.125, 4.0]
    """
    return mean_per_example(_huber(_error("huber", outputs, targets), delta))


@checked
def smooth_l1(outputs: Array, targets: Array, *, beta: NonNegativeFloat = 1.0) -> Array:
    """`huber` with δ = β, divided by β: absolute error, rounded off within β; for β = 0 it is `mae`.

    Girshick, arXiv 1504.08083. Raises `ShapeError` where the shapes differ.

    >>> smooth_l1(jnp.array([1.0, 3.0]), jnp.zeros(2), beta=2.0).tolist()
    [0.25, 2.0]
    """
    error = _error("smooth_l1", outputs, targets)
    return mean_per_example(_huber(error, beta) / beta if beta else size(error))


@checked
def quantile(outputs: Array, targets: Array, *, quantiles: tuple[Fraction, ...] = (0.5,)) -> Array:
    """max(q e, (q - 1) e) of e = target - output, averaged over quantiles q and all axes but the first.

    Outputs (batch, ..., quantiles), targets (batch, ...) -> (batch,); one quantile needs no axis of its own. The least mean
    loss is at the quantiles of the targets (Koenker & Bassett, 1978). Raises `ShapeError` for outputs of another shape.

    >>> quantile(jnp.array([[0.0, 0.0]]), jnp.array([2.0]), quantiles=(0.25, 0.75)).tolist()
    [1.0]
    """
    outputs = widened(outputs)
    if len(quantiles) == 1 and outputs.shape == targets.shape:
        outputs = outputs[..., None]
    if outputs.shape != (*targets.shape, len(quantiles)):
        raise ShapeError(
            f"quantile with {len(quantiles)} quantiles needs outputs of shape {(*targets.shape, len(quantiles))}, "
            f"got {tuple(outputs.shape)}",
            fix="give the last layer one feature for each quantile",
        )
    error = targets.astype(outputs.dtype)[..., None] - outputs
    q = jnp.broadcast_to(jnp.asarray(quantiles, error.dtype), error.shape)
    return mean_per_example(jnp.maximum(q * error, (q - 1) * error))


def correlation(outputs: Array, targets: Array, weights: Array) -> dict[str, Array]:
    """Σ w and Σ w (1 - r), r the weighted Pearson correlation of outputs and targets over the batch.

    (batch, ...) each; places beyond the first axis are correlated one by one, and their r is averaged, each by its Σ w. As r
    belongs to a batch and not to its examples, the loss sums itself; in micro-batches it is the mean of theirs. What has no
    weight does not count; outputs or targets that do not vary have r = 0. Raises `ShapeError` where the shapes differ.

    >>> sums = correlation(jnp.array([1.0, 2.0, 3.0]), jnp.array([2.0, 4.0, 6.0]), jnp.ones(3))
    >>> float(sums["sum"]), float(sums["count"])
    (0.0, 3.0)
    """
    expect_same_shape("correlation of outputs and targets", outputs, targets)
    outputs = widened(outputs)
    w = spread(weights, outputs.shape).astype(outputs.dtype)
    r, count = pearson(outputs, targets.astype(outputs.dtype), w), jnp.sum(w, axis=0)
    return {"sum": jnp.sum(count * (1 - r)), "count": jnp.sum(count)}


def _huber(error: Array, delta: float) -> Array:
    distance = jnp.abs(error)
    return jnp.where(distance <= delta, error**2 / 2, delta * (distance - delta / 2))


def _error(loss: str, outputs: Array, targets: Array) -> Array:
    expect_same_shape(f"{loss} of outputs and targets", outputs, targets)
    outputs = widened(outputs)  # float16 squares overflow from 256
    return outputs - targets.astype(outputs.dtype)
