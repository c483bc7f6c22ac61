"""Connectionist temporal classification: labels of a sequence whose places in it are not known."""

import jax
from jax import lax
import jax.numpy as jnp

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.fields import NonNegativeInt
from zerfoo_jax.core.types import Array
from zerfoo_jax.numeric import widened

IMPOSSIBLE = -1e30
"""The logarithm of 0: as an infinity, its differences would be NaN."""


@checked
def ctc(
    outputs: Array | tuple[Array, Array], targets: Array, *, blank: NonNegativeInt = 0, zero_infinity: bool = False
) -> Array:
    """-log Σ_π Π_t p_t(π_t) over all alignments π of the labels: logits (batch, time, classes) -> (batch,).

    An alignment gives a class to each time step; without its repetitions and then without its blanks it is the label sequence
    (Graves et al., 2006). `outputs` are logits, or (logits, lengths): steps from an example's length on do not count. Targets
    are class numbers (batch, labels), filled up at the end with the blank or with -1. Labels that fit into no alignment have
    an infinite loss, or with `zero_infinity` one of 0 without gradient. A mean over examples is not divided by the labels'
    lengths, as torch's `mean` is. Raises `ShapeError` for shapes that do not fit.

    >>> logits = jnp.log(jnp.array([[[0.5, 0.5], [0.5, 0.5]]]))
    >>> float(jnp.exp(-ctc(logits, jnp.array([[1]]))[0]))  # of four alignments, all but blank-blank are right
    0.75
    """
    logits, lengths = outputs if isinstance(outputs, tuple) else (outputs, None)
    _check(logits, lengths, targets, blank)
    lengths = jnp.full(targets.shape[:1], logits.shape[1]) if lengths is None else lengths
    log_p = jax.nn.log_softmax(widened(logits), axis=-1)
    targets = targets.astype(jnp.int32)
    is_label = (targets >= 0) & (targets != blank)
    labels = jnp.where(is_label, targets, blank)
    states = _with_blanks(labels, blank)
    scores = _log_sums(log_p, states, _may_skip(states, blank), lengths)
    last = 2 * jnp.sum(is_label, axis=-1, keepdims=True)  # the blank after the last label
    at_blank = jnp.take_along_axis(scores, last, axis=-1)[:, 0]
    at_label = jnp.take_along_axis(scores, jnp.maximum(last - 1, 0), axis=-1)[:, 0]
    loss = -jnp.logaddexp(at_blank, jnp.where(last[:, 0] == 0, IMPOSSIBLE, at_label))
    loss = jnp.where(loss < -IMPOSSIBLE / 2, loss, 0 if zero_infinity else jnp.inf)
    return jnp.where(jnp.any(targets >= logits.shape[-1], axis=-1), jnp.nan, loss)


def _with_blanks(labels: Array, blank: int) -> Array:
    """Blanks around and between the labels: (batch, labels) -> (batch, 2 labels + 1)."""
    between = jnp.stack([jnp.full_like(labels, blank), labels], axis=-1).reshape(labels.shape[0], -1)
    return jnp.pad(between, ((0, 0), (0, 1)), constant_values=blank)


def _may_skip(states: Array, blank: int) -> Array:
    """Where the blank before a label may be left out: unless the label before that is the same."""
    before = jnp.pad(states, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    return (states != blank) & (states != before)


def _log_sums(log_p: Array, states: Array, may_skip: Array, lengths: Array) -> Array:
    """For each state the log of the sum over all ways that end in it at the example's last step: (batch, states)."""

    def shifted(scores: Array, by: int) -> Array:
        return jnp.pad(scores, ((0, 0), (by, 0)), constant_values=IMPOSSIBLE)[:, :-by]

    def step(scores: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
        emitted, counts = at
        skipped = jnp.where(may_skip, shifted(scores, 2), IMPOSSIBLE)
        new = emitted + jax.nn.logsumexp(jnp.stack([scores, shifted(scores, 1), skipped]), axis=0)
        return jnp.where(counts[:, None], new, scores), None

    places = jnp.broadcast_to(states[:, None], (*log_p.shape[:2], states.shape[1]))
    emitted = jnp.swapaxes(jnp.take_along_axis(log_p, places, axis=-1, mode="clip"), 0, 1)
    counts = jnp.arange(log_p.shape[1])[:, None] < lengths.astype(jnp.int32)[None]
    # Before the first step, all ways stand in front of the first blank, from which also the first label can be reached.
    start = jnp.full(states.shape, IMPOSSIBLE, log_p.dtype).at[:, 0].set(0)
    return lax.scan(step, start, (emitted, counts))[0]


def _check(logits: Array, lengths: Array | None, targets: Array, blank: int) -> None:
    batch = logits.shape[:1]
    integers = jnp.issubdtype(targets.dtype, jnp.integer) and (lengths is None or jnp.issubdtype(lengths.dtype, jnp.integer))
    fits = logits.ndim == 3 and targets.ndim == 2 and targets.shape[:1] == batch and (lengths is None or lengths.shape == batch)
    if not fits or not integers or blank >= logits.shape[-1]:
        lengths_shape = "" if lengths is None else f", lengths {lengths.dtype}{lengths.shape}"
        raise ShapeError(
            f"ctc with blank = {blank}: logits {logits.shape}{lengths_shape} and targets {targets.dtype}{targets.shape} "
            "do not fit",
            fix="give (batch, time, classes), integer (batch,) and integer (batch, labels)",
        )
