"""Losses for choosing among classes."""

from jax import lax
from jax.nn import logsumexp, relu
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import NonNegativeFloat, PositiveFloat, Probability
from zerfoo_jax.core.types import Array
from zerfoo_jax.losses.base import Weighted
from zerfoo_jax.numeric import widened

ClassWeights = tuple[NonNegativeFloat, ...]


@checked
def cross_entropy(
    logits: Array,
    labels: Array,
    *,
    label_smoothing: Probability = 0.0,
    class_weights: ClassWeights | None = None,
    ignore_index: int | None = None,
) -> Array | Weighted:
    """-Σ_k w_k t_k log softmax(logits)_k for each example: (..., classes), labels -> (...), in float32 or wider.

    Labels are class numbers of shape (...) or probabilities of shape (..., classes). With smoothing ε the target is
    (1 - ε) t + ε / classes (Szegedy et al., arXiv 1512.00567). A class number outside 0..classes-1 gives NaN rather than a
    plausible wrong loss.

    Given `class_weights` w or an `ignore_index`, class numbers give `Weighted` losses: a mean divides by the sum of the
    labels' class weights, and labels equal to `ignore_index` do not count. Probabilities know no `ignore_index`, and their
    mean divides by the number of examples; all as in torch.

    Raises `ShapeError` for labels that are neither, and `ConfigError` for class weights of another number than there are
    classes, or of which one is 0 where labels are smoothed.

    >>> float(cross_entropy(jnp.zeros((1, 2)), jnp.array([1]))[0] / jnp.log(2))
    1.0
    """
    logits = widened(logits)
    # Relative to the largest, for the sum not to overflow and for large logits not to swallow the digits of a small loss.
    relative = logits - lax.stop_gradient(jnp.max(logits, axis=-1, keepdims=True))
    log_z = jnp.log(jnp.sum(jnp.exp(relative), axis=-1))
    scale = None if class_weights is None else _per_class(class_weights, logits, label_smoothing)
    numbers = _are_numbers("cross_entropy", logits, labels)
    if numbers:
        labels, own = _own_weights(labels, scale, ignore_index)
        loss = log_z - _at(relative, labels)
    else:
        own = None
        loss = _sum_over_classes(log_z, relative, labels.astype(logits.dtype), scale)
    if label_smoothing:
        if scale is None:
            uniform = log_z - jnp.mean(relative, axis=-1)
        else:
            uniform = log_z * jnp.mean(scale) - jnp.mean(relative * jnp.broadcast_to(scale, relative.shape), axis=-1)
        if scale is not None and numbers:  # a `Weighted` loss is multiplied by its label's weight, which is not for this part
            uniform = uniform / jnp.take(scale, labels, mode="clip")
        loss = (1 - label_smoothing) * loss + label_smoothing * uniform
    return loss if own is None else Weighted(loss, own)


@checked
def nll(
    log_probabilities: Array, labels: Array, *, class_weights: ClassWeights | None = None, ignore_index: int | None = None
) -> Array | Weighted:
    """-log p of the right class: log-probabilities (..., classes), class numbers (...) -> (...), in float32 or wider.

    Options and errors are those of `cross_entropy`, which does the same with logits.

    >>> nll(jnp.log(jnp.array([[0.5, 0.5]])), jnp.array([1])).tolist() == [-float(jnp.log(0.5))]
    True
    """
    log_probabilities = widened(log_probabilities)
    scale = None if class_weights is None else _per_class(class_weights, log_probabilities, 0.0)
    if not _are_numbers("nll", log_probabilities, labels):
        raise ShapeError("nll: labels are class numbers", fix="use cross_entropy or kl_divergence for probabilities")
    labels, own = _own_weights(labels, scale, ignore_index)
    loss = -_at(log_probabilities, labels)
    return loss if own is None else Weighted(loss, own)


@checked
def softmax_focal(logits: Array, labels: Array, *, gamma: NonNegativeFloat = 2.0) -> Array:
    """(1 - p)^γ · -log p, p = softmax(logits) at the label: easy examples count less: (..., classes), (...) -> (...).

    Lin et al., arXiv 1708.02002. Raises `ShapeError` as `cross_entropy` does.

    >>> softmax_focal(jnp.zeros((1, 2)), jnp.array([1])).tolist() == [float(jnp.log(2) / 4)]
    True
    """
    loss = cross_entropy(logits, labels)
    assert not isinstance(loss, Weighted)
    # (1 - p)^γ by its logarithm: where γ < 1 and p is almost 1, the power's own slope is infinite.
    logits = widened(logits)
    right = lax.broadcasted_iota(jnp.int32, logits.shape, logits.ndim - 1) == labels[..., None].astype(jnp.int32)
    log_wrong = logsumexp(jnp.where(right, -jnp.inf, logits), axis=-1) - logsumexp(logits, axis=-1)
    return jnp.exp(gamma * log_wrong) * loss


@checked
def multi_margin(outputs: Array, labels: Array, *, margin: PositiveFloat = 1.0) -> Array:
    """Σ_{k ≠ y} max(0, margin - x_y + x_k) / classes: scores x (..., classes), class numbers y (...) -> (...).

    The hinge of several classes. Raises `ShapeError` for labels that do not fit.

    >>> multi_margin(jnp.array([[0.0, 0.5]]), jnp.array([1])).tolist()
    [0.25]
    """
    outputs = widened(outputs)
    if not _are_numbers("multi_margin", outputs, labels):
        raise ShapeError("multi_margin: labels are class numbers, not probabilities")
    terms = relu(margin - _at(outputs, labels)[..., None] + outputs)
    return jnp.mean(terms, axis=-1) - margin / outputs.shape[-1]  # the right class's own term is the margin


def _are_numbers(loss: str, outputs: Array, labels: Array) -> bool:
    """Whether labels are class numbers; otherwise they are probabilities."""
    if labels.shape == outputs.shape[:-1] and jnp.issubdtype(labels.dtype, jnp.integer):
        return True
    if labels.shape == outputs.shape and jnp.issubdtype(labels.dtype, jnp.floating):
        return False
    raise ShapeError(
        f"{loss}: labels {labels.dtype}{labels.shape} fit neither {outputs.shape[:-1]} class numbers "
        f"nor {outputs.shape} probabilities",
        fix="check the model's last layer and the data's targets",
    )


def _per_class(class_weights: ClassWeights, outputs: Array, label_smoothing: float) -> Array:
    if len(class_weights) != outputs.shape[-1]:
        raise ConfigError(f"class_weights = {class_weights}: {len(class_weights)} weights for {outputs.shape[-1]} classes")
    if label_smoothing and not all(class_weights):
        raise ConfigError(f"class_weights = {class_weights}: a weight of 0 does not go with label_smoothing")
    return jnp.asarray(class_weights, outputs.dtype)


def _own_weights(labels: Array, scale: Array | None, ignore_index: int | None) -> tuple[Array, Array | None]:
    """Class numbers that are fit to be looked up, and how much each counts; None where all count the same."""
    if scale is None and ignore_index is None:
        return labels, None
    ignored = jnp.zeros(labels.shape, bool) if ignore_index is None else labels == ignore_index
    labels = jnp.where(ignored, 0, labels)
    if scale is None:
        return labels, jnp.where(ignored, 0.0, 1.0)
    return labels, jnp.where(ignored, 0, jnp.take(scale, labels, mode="clip"))


def _sum_over_classes(log_z: Array, relative: Array, targets: Array, scale: Array | None) -> Array:
    """-Σ_k w_k t_k log p_k, with log p = relative - log_z."""
    terms = jnp.broadcast_to(targets, relative.shape) * (log_z[..., None] - relative)
    return jnp.sum(terms if scale is None else terms * jnp.broadcast_to(scale, terms.shape), axis=-1)


def _at(values: Array, index: Array) -> Array:
    """values[..., index], NaN where there is no such place."""
    if jnp.iinfo(index.dtype).bits < 32:  # the number of classes need not fit the labels' own dtype, such as bytes in uint8
        index = index.astype(jnp.int32)
    index = jnp.where(index < 0, values.shape[-1], index)  # negative ones would count from the end
    return jnp.take_along_axis(values, index[..., None], axis=-1, mode="fill", fill_value=jnp.nan)[..., 0]
