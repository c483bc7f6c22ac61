from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import binary_cross_entropy, binary_cross_entropy_with_logits, dice, focal, hinge

SHAPES = [(4,), (1, 3), (3, 5), (2, 3, 4)]


def targets_of(seed, *shape):
    """Zeros, ones and a few numbers between."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.2, rng.random(shape), rng.random(shape) < 0.5).astype(np.float32)


def per_example(loss):
    return loss.flatten(1).mean(1) if loss.ndim > 1 else loss


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES)
def test_binary_cross_entropy_agrees_with_torch(torch, shape):
    targets = targets_of(0, *shape)
    p = np.random.default_rng(1).uniform(0.01, 0.99, shape).astype(np.float32)

    def oracle(x):
        return per_example(torch.nn.functional.binary_cross_entropy(x, torch.tensor(targets), reduction="none"))

    against_torch(torch, partial(binary_cross_entropy, targets=targets), oracle, p)


def test_the_logarithm_of_nothing_is_minus_100():
    loss, grad = jax.value_and_grad(lambda p: binary_cross_entropy(p, jnp.array([1.0, 0.0, 0.0, 1.0])).sum())(
        jnp.array([0.0, 1.0, 0.0, 1.0])
    )
    assert float(loss) == 200 and jnp.isfinite(grad).all()


@pytest.mark.oracle
@pytest.mark.parametrize("pos_weight", [1.0, 2.5, (0.5, 1.0, 3.0)])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_binary_cross_entropy_with_logits_agrees_with_torch(torch, pos_weight, reduction):
    targets = targets_of(0, 4, 2, 3)

    def oracle(x):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            x, torch.tensor(targets), pos_weight=torch.tensor(pos_weight), reduction="none"
        )
        return loss.mean() if reduction == "mean" else per_example(loss)

    loss = partial(binary_cross_entropy_with_logits, targets=targets, pos_weight=pos_weight)
    against_torch(torch, loss, oracle, 3 * normal(1, 4, 2, 3), reduction=reduction)


@pytest.mark.parametrize("x", [-30.0, -10.0, 0.0, 10.0, 30.0, 1e4, -1e4])
def test_extreme_logits_lose_no_digits(x):
    for target in (0.0, 1.0):

        def loss(z, target=target):
            return binary_cross_entropy_with_logits(z, jnp.array([target]))[0]

        value, grad = jax.value_and_grad(loss)(jnp.array([x]))
        np.testing.assert_allclose(value, np.logaddexp(0, -x if target else x), rtol=1e-5)
        np.testing.assert_allclose(grad[0], np.exp(-np.logaddexp(0, -x)) - target, rtol=1e-4, atol=1e-30 if x < 0 else 1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, None), (1.5, 0.6), (2.0, None)])
def test_focal_agrees_with_its_formula_in_torch(torch, gamma, alpha):
    targets = (targets_of(0, 5, 3) > 0.5).astype(np.float32)

    def oracle(x):  # torchvision.ops.sigmoid_focal_loss, in float64
        x, t = x.double(), torch.tensor(targets).double()
        p = torch.sigmoid(x)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
        loss = loss * (1 - p * t - (1 - p) * (1 - t)) ** gamma
        loss = loss if alpha is None else loss * (alpha * t + (1 - alpha) * (1 - t))
        return per_example(loss).float()

    against_torch(torch, partial(focal, targets=targets, gamma=gamma, alpha=alpha), oracle, 3 * normal(1, 5, 3))


@pytest.mark.parametrize("low", [0, -1])
@pytest.mark.parametrize("margin", [1.0, 0.5])
def test_hinge_agrees_with_sklearn(low, margin):
    from sklearn.metrics import hinge_loss

    scores = normal(0, 20)
    labels = np.where(normal(1, 20) > 0, 1, low)
    # sklearn knows a margin of 1 only; the loss of scores / margin in units of the margin is the same.
    expected = margin * hinge_loss(labels, scores / margin)
    assert_close(jnp.mean(hinge(scores, labels, margin=margin)), expected, 1e-5)
    grad = jax.grad(lambda x: hinge(x, labels, margin=margin).sum())(scores)
    sign = np.where(labels > 0, 1, -1)
    np.testing.assert_array_equal(grad, np.where(sign * scores < margin, -sign, 0))


@pytest.mark.oracle
@pytest.mark.parametrize("smooth", [0.0, 1.0, 0.1])
@pytest.mark.parametrize("shape", [(3, 4, 1), (2, 3, 4, 2)])
def test_dice_agrees_with_its_formula_in_torch(torch, shape, smooth):
    targets = (normal(0, *shape) > 0).astype(np.float32)

    def oracle(p):
        p, t = p.flatten(1, -2), torch.tensor(targets).flatten(1, -2)
        return (1 - (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth)).mean(-1)

    p = np.random.default_rng(1).random(shape).astype(np.float32)
    against_torch(torch, partial(dice, targets=targets, smooth=smooth), oracle, p)


def test_shapes_that_do_not_fit_are_refused():
    for loss in (binary_cross_entropy, binary_cross_entropy_with_logits, focal, hinge):
        with pytest.raises(ShapeError, match=f"{loss.__name__} of outputs and targets"):
            loss(jnp.zeros((4, 1)), jnp.zeros(4))
    with pytest.raises(ShapeError, match="pos_weight of 2 numbers"):
        binary_cross_entropy_with_logits(jnp.zeros((4, 3)), jnp.zeros((4, 3)), pos_weight=(1.0, 2.0))
    with pytest.raises(ShapeError, match="at least 3 axes"):
        dice(jnp.zeros((4, 3)), jnp.zeros((4, 3)))
    with pytest.raises(ShapeError, match="dice of"):
        dice(jnp.zeros((4, 3, 1)), jnp.zeros((4, 3, 2)))
