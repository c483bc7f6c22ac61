"""Losses for choosing among classes."""

from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened


def cross_entropy(logits: Array, labels: Array, *, label_smoothing: Probability = 0.0) -> Array:
    """-Σ_k t_k log softmax(logits)_k for each example: (..., classes), labels -> (...), in float32 or wider.

    Labels are class numbers of shape (...) or probabilities of shape (..., classes). With smoothing ε the target is
    (1 - ε) t + ε / classes (Szegedy et al., arXiv 1512.00567). A class number outside 0..classes-1 gives NaN rather than a
    plausible wrong loss. Raises `ShapeError` for labels that are neither.

    >>> float(cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))[0] / jnp.log(2))
    1.0
    """
    logits = widened(logits)
    # Relative to the largest, for the sum not to overflow and for large logits not to swallow the digits of a small loss.
    relative = logits - lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    log_z = jnp.log(jnp.sum(jnp.exp(relative), axis=-1))
    if labels.shape == logits.shape[:-1] and jnp.issubdtype(labels.dtype, jnp.integer):
        loss = log_z - _at(relative, labels)
    elif labels.shape == logits.shape and jnp.issubdtype(labels.dtype, jnp.floating):
        loss = jnp.sum(labels.astype(logits.dtype) * (log_z[..., None] - relative), axis=-1)
    else:
        raise ShapeError(
            f"cross_entropy: labels {labels.dtype}{labels.shape} fit neither {logits.shape[:-1]} class numbers "
            f"nor {logits.shape} probabilities",
            fix="check the model's last layer and the data's targets",
        )
    if label_smoothing:
        loss = (1 - label_smoothing) * loss + label_smoothing * (log_z - jnp.mean(relative, axis=-1))
    return loss


def _at(values: Array, index: Array) -> Array:
    """values[..., index], NaN where there is no such place."""
    if jnp.iinfo(index.dtype).bits < 32:  # the number of classes need not fit the labels' own dtype, such as bytes in uint8
        index = index.astype(jnp.int32)
    index = jnp.where(index < 0, values.shape[-1], index)  # negative ones would count from the end
    return jnp.take_along_axis(values, index[..., None], axis=-1, mode="fill", fill_value=jnp.nan)[..., 0]
