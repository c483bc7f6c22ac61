"""Losses: pure functions `(outputs, targets, *, options) -> one number per example` (or per token).

Reduction is the training step's business: it weighs examples, and sums before it divides, so that accumulated and padded
batches give exactly the mean over what counts; by hand, `reduce(loss(...), "mean", weights)` does the same. A loss of which
some values count more than others gives `Weighted` ones; one that makes its gradients in the forward pass takes `weights` too
and sums itself. Adding one: a function in its family's file, and a line here.
"""

from collections.abc import Callable
from typing import Any

from zerfoo_jax.losses.adversarial import adversarial as adversarial
from zerfoo_jax.losses.base import Weighted as Weighted
from zerfoo_jax.losses.base import reduce as reduce
from zerfoo_jax.losses.binary import binary_cross_entropy as binary_cross_entropy
from zerfoo_jax.losses.binary import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from zerfoo_jax.losses.binary import dice as dice
from zerfoo_jax.losses.binary import focal as focal
from zerfoo_jax.losses.binary import hinge as hinge
from zerfoo_jax.losses.classification import cross_entropy as cross_entropy
from zerfoo_jax.losses.classification import multi_margin as multi_margin
from zerfoo_jax.losses.classification import nll as nll
from zerfoo_jax.losses.classification import softmax_focal as softmax_focal
from zerfoo_jax.losses.ctc import ctc as ctc
from zerfoo_jax.losses.distributions import kl_divergence as kl_divergence
from zerfoo_jax.losses.distributions import wasserstein as wasserstein
from zerfoo_jax.losses.pairs import contrastive as contrastive
from zerfoo_jax.losses.pairs import cosine_embedding as cosine_embedding
from zerfoo_jax.losses.pairs import triplet as triplet
from zerfoo_jax.losses.regression import correlation as correlation
from zerfoo_jax.losses.regression import huber as huber
from zerfoo_jax.losses.regression import mae as mae
from zerfoo_jax.losses.regression import mse as mse
from zerfoo_jax.losses.regression import quantile as quantile
from zerfoo_jax.losses.regression import smooth_l1 as smooth_l1
from zerfoo_jax.losses.vocabulary import vocabulary_cross_entropy as vocabulary_cross_entropy

LOSSES: dict[str, Callable[..., Any]] = {
    "adversarial": adversarial,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "contrastive": contrastive,
    "correlation": correlation,
    "cosine_embedding": cosine_embedding,
    "cross_entropy": cross_entropy,
    "ctc": ctc,
    "dice": dice,
    "focal": focal,
    "hinge": hinge,
    "huber": huber,
    "kl_divergence": kl_divergence,
    "mae": mae,
    "mse": mse,
    "multi_margin": multi_margin,
    "nll": nll,
    "quantile": quantile,
    "smooth_l1": smooth_l1,
    "softmax_focal": softmax_focal,
    "triplet": triplet,
    "vocabulary_cross_entropy": vocabulary_cross_entropy,
    "wasserstein": wasserstein,
}
