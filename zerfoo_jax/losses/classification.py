"""Losses for choosing among classes."""

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import Probability
from zerfoo_jax.core.types import Array


def cross_entropy(logits: Array, labels: Array, *, label_smoothing: Probability = 0.0) -> Array:
    """-Σ_k t_k log softmax(logits)_k for each example: (..., classes), labels -> (...).

    Labels are class numbers of shape (...) or probabilities of shape (..., classes). With smoothing ε the target is
    (1 - ε) t + ε / classes (Szegedy et al., arXiv 1512.00567). A class number outside 0..classes-1 gives NaN rather than a
    plausible wrong loss.

    >>> float(cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))[0] / jnp.log(2))
    1.0
    """
    log_z = jax.nn.logsumexp(logits, axis=-1)
    if labels.shape == logits.shape[:-1] and jnp.issubdtype(labels.dtype, jnp.integer):
        wrong = (labels < 0) | (labels >= logits.shape[-1])
        picked = jnp.take_along_axis(logits, labels[..., None], axis=-1, mode="clip")[..., 0]
        target_logit = jnp.where(wrong, jnp.nan, picked)
    elif labels.shape == logits.shape:
        target_logit = jnp.sum(labels * logits, axis=-1)
    else:
        raise ShapeError(
            f"cross_entropy: labels {labels.dtype}{labels.shape} fit neither {logits.shape[:-1]} class numbers "
            f"nor {logits.shape} probabilities",
            fix="check the model's last layer and the data's targets",
        )
    if label_smoothing:
        target_logit = (1 - label_smoothing) * target_logit + label_smoothing * jnp.mean(logits, axis=-1)
    return log_z - target_logit
