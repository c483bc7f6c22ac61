from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import ctc

LABELS = np.array([[1, 2, 2, 4], [3, 3, 3, -1], [4, -1, -1, -1], [-1, -1, -1, -1], [2, 1, 2, 1]], np.int32)
LENGTHS = np.array([9, 9, 1, 3, 4], np.int32)
COUNTS = (LABELS >= 0).sum(-1)


def torchs(torch, lengths, blank, relabel, **options):
    def oracle(logits):
        log_p = torch.log_softmax(logits, -1).transpose(0, 1)
        labels = torch.tensor(relabel(np.maximum(LABELS, 1))).long()
        counts = torch.tensor(COUNTS)
        return torch.nn.functional.ctc_loss(
            log_p, labels, torch.tensor(lengths).long(), counts, blank=blank, reduction="none", **options
        )

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize("filling", ["blank", "-1"])
@pytest.mark.parametrize("blank", [0, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_torch(torch, seed, blank, filling):
    def relabel(labels):
        return np.where(labels == blank, 0, labels)

    labels = np.where(LABELS < 0, blank if filling == "blank" else -1, relabel(LABELS)).astype(np.int32)
    logits = 2 * normal(seed, 5, 9, 5)
    loss = partial(ctc, targets=labels, blank=blank)
    full = np.full(5, 9)
    against_torch(torch, lambda z: loss(z), torchs(torch, full, blank, relabel), logits)
    against_torch(torch, lambda z: loss((z, LENGTHS)), torchs(torch, LENGTHS, blank, relabel), logits)


@pytest.mark.oracle
def test_labels_that_fit_nowhere_are_infinite_or_nothing_as_in_torch(torch):
    logits, short = normal(0, 5, 9, 5), np.array([4, 5, 1, 3, 3], np.int32)  # 1223 and 3133 need five steps, 2121 four
    loss = ctc((jnp.asarray(logits), short), jnp.asarray(LABELS))
    assert np.isinf(loss).tolist() == [True, False, False, False, True]
    zeroed = partial(ctc, targets=LABELS, zero_infinity=True)
    against_torch(torch, lambda z: zeroed((z, short)), torchs(torch, short, 0, lambda x: x, zero_infinity=True), logits)


def test_a_label_that_does_not_exist_gives_nan():
    loss = ctc(jnp.zeros((2, 4, 5)), jnp.array([[1, 5], [1, 4]]))
    assert np.isnan(loss).tolist() == [True, False]


def test_long_sequences_do_not_underflow():
    loss, grad = jax.value_and_grad(lambda z: ctc(z, jnp.array([[1, 2, 3]])).sum())(jnp.zeros((1, 400, 50)))
    assert 1000 < loss < 400 * np.log(50) and jnp.isfinite(grad).all()


@pytest.mark.parametrize(
    ("logits", "lengths", "targets", "blank"),
    [
        ((2, 4), None, jnp.zeros((2, 2), jnp.int32), 0),
        ((2, 4, 5), None, jnp.zeros((3, 2), jnp.int32), 0),
        ((2, 4, 5), None, jnp.zeros((2, 2)), 0),
        ((2, 4, 5), jnp.zeros(3, jnp.int32), jnp.zeros((2, 2), jnp.int32), 0),
        ((2, 4, 5), None, jnp.zeros((2, 2), jnp.int32), 5),
    ],
)
def test_shapes_that_do_not_fit_are_refused(logits, lengths, targets, blank):
    outputs = jnp.zeros(logits) if lengths is None else (jnp.zeros(logits), lengths)
    with pytest.raises(ShapeError, match="ctc with blank"):
        ctc(outputs, targets, blank=blank)
