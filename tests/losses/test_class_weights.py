"""Class weights, ignored labels and the losses beside cross-entropy, all as in torch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.losses import cross_entropy, multi_margin, nll, reduce, softmax_focal
from zerfoo_jax.losses.base import Weighted

CLASS_WEIGHTS = (0.5, 2.0, 1.0, 0.25)


def labels_of(seed, *lead):
    return np.random.default_rng(seed).integers(0, 4, lead).astype(np.int32)


def classes_first(z):
    return z.movedim(-1, 1) if z.ndim > 1 else z


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize(("class_weights", "ignore_index"), [(CLASS_WEIGHTS, None), (None, 2), (CLASS_WEIGHTS, -100)])
@pytest.mark.parametrize(("lead", "seed"), [((6,), 0), ((2, 5), 1)])
def test_cross_entropy_agrees_with_torch(torch, lead, seed, class_weights, ignore_index, smoothing, reduction):
    labels = labels_of(seed, *lead)
    labels.flat[1] = labels.flat[1] if ignore_index is None else ignore_index
    options = {"label_smoothing": smoothing, "class_weights": class_weights, "ignore_index": ignore_index}

    def oracle(z):
        return torch.nn.functional.cross_entropy(
            classes_first(z),
            torch.tensor(labels).long(),
            weight=None if class_weights is None else torch.tensor(class_weights),
            ignore_index=-100 if ignore_index is None else ignore_index,
            label_smoothing=smoothing,
            reduction=reduction,
        )

    loss = partial(cross_entropy, labels=jnp.asarray(labels), **options)
    against_torch(torch, loss, oracle, 2 * normal(seed, *lead, 4), reduction=reduction)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_class_weights_of_probabilities_agree_with_torch(torch, smoothing, reduction):
    targets = np.random.default_rng(0).random((6, 4)).astype(np.float32)

    def oracle(z):
        weight = torch.tensor(CLASS_WEIGHTS)
        return torch.nn.functional.cross_entropy(
            z, torch.tensor(targets), weight=weight, label_smoothing=smoothing, reduction=reduction
        )

    loss = partial(cross_entropy, labels=targets, label_smoothing=smoothing, class_weights=CLASS_WEIGHTS)
    against_torch(torch, loss, oracle, normal(1, 6, 4), reduction=reduction)


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("class_weights", [CLASS_WEIGHTS, (0.0, 1.0, 2.0, 3.0), None])
def test_nll_agrees_with_torch(torch, class_weights, reduction):
    labels = np.array([[0, 3, 1], [2, 1, 0]], np.int32)
    log_p = np.log(np.random.default_rng(0).dirichlet(np.ones(4), (2, 3))).astype(np.float32)

    def oracle(z):
        weight = None if class_weights is None else torch.tensor(class_weights)
        target = torch.tensor(labels).long()
        return torch.nn.functional.nll_loss(classes_first(z), target, weight=weight, ignore_index=1, reduction=reduction)

    loss = partial(nll, labels=labels, class_weights=class_weights, ignore_index=1)
    against_torch(torch, loss, oracle, log_p, reduction=reduction)


@pytest.mark.oracle
@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_multi_margin_agrees_with_torch(torch, margin):
    labels = labels_of(0, 7)

    def oracle(z):
        return torch.nn.functional.multi_margin_loss(z, torch.tensor(labels).long(), margin=margin, reduction="none")

    against_torch(torch, partial(multi_margin, labels=labels, margin=margin), oracle, normal(0, 7, 4))


@pytest.mark.oracle
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.0])
def test_softmax_focal_agrees_with_its_formula_in_torch(torch, gamma):
    labels = labels_of(1, 7)

    def oracle(z):
        log_p = torch.log_softmax(z.double(), -1)[torch.arange(7), torch.tensor(labels).long()]
        return ((1 - log_p.exp()) ** gamma * -log_p).float()

    against_torch(torch, partial(softmax_focal, labels=labels, gamma=gamma), oracle, 2 * normal(0, 7, 4))


def test_ignored_labels_keep_their_values_finite_and_have_no_gradient():
    labels = jnp.array([1, -100, 0])

    def total(z):
        given = cross_entropy(z, labels, ignore_index=-100)
        assert isinstance(given, Weighted)
        return reduce(given, "sum"), given

    grad, given = jax.grad(total, has_aux=True)(jnp.asarray(normal(0, 3, 4)))
    assert jnp.isfinite(given.value).all() and given.weight.tolist() == [1, 0, 1]
    assert (grad[1] == 0).all() and (grad[0] != 0).all()


def test_a_class_that_does_not_exist_gives_nan_unless_the_batch_leaves_it_out():
    labels = jnp.array([1, 4, 0])
    for options in ({"class_weights": CLASS_WEIGHTS}, {"ignore_index": -100}):
        given = cross_entropy(jnp.zeros((3, 4)), labels, **options)
        assert jnp.isnan(reduce(given))
        assert jnp.isfinite(reduce(given, weights=jnp.array([1.0, 0.0, 1.0])))


def test_options_that_do_not_fit_are_refused():
    logits, labels = jnp.zeros((2, 4)), jnp.zeros(2, jnp.int32)
    with pytest.raises(ConfigError, match="3 weights for 4 classes"):
        cross_entropy(logits, labels, class_weights=(1.0, 1.0, 1.0))
    with pytest.raises(ConfigError, match="weight of 0 does not go with label_smoothing"):
        cross_entropy(logits, labels, class_weights=(1.0, 0.0, 1.0, 1.0), label_smoothing=0.1)
    for loss in (nll, multi_margin):
        with pytest.raises(ShapeError, match="class numbers"):
            loss(logits, logits)
        with pytest.raises(ShapeError, match="fit neither"):
            loss(logits, labels[:1])
