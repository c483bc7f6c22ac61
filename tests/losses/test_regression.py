from functools import partial

import jax
import jax.numpy as jnp
from jax.test_util import check_grads
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import correlation, huber, mae, mse, quantile, smooth_l1
from zerfoo_jax.numeric.weighting import mean_of


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(4,), (1, 3), (3, 5), (2, 3, 4)])
def test_agrees_with_torch(torch, shape):
    outputs, targets, cotangent = normal(0, *shape), normal(1, *shape), normal(2, shape[0])
    z = torch.tensor(outputs, requires_grad=True)
    loss = ((z - torch.tensor(targets)) ** 2).reshape(shape[0], -1).mean(1)
    loss.backward(torch.tensor(cotangent))
    value, pull = jax.vjp(lambda z: mse(z, targets), jnp.asarray(outputs))
    np.testing.assert_allclose(value, loss.detach(), rtol=1e-5)
    np.testing.assert_allclose(pull(jnp.asarray(cotangent))[0], z.grad, rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_squared_in_float32(dtype):
    loss = mse(jnp.full((2, 3), 1000, dtype), jnp.zeros((2, 3)))
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, 1e6)


@pytest.mark.parametrize(("outputs", "targets"), [((4, 1), (4,)), ((4,), (4, 1)), ((1, 4), (4, 4))])
def test_shapes_that_would_broadcast_are_refused(outputs, targets):
    with pytest.raises(ShapeError, match="mse"):
        mse(jnp.zeros(outputs), jnp.zeros(targets))


@pytest.mark.oracle
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    ("loss", "torchs", "options"),
    [
        (mae, "l1_loss", {}),
        (huber, "huber_loss", {"delta": 0.7}),
        (huber, "huber_loss", {"delta": 2.5}),
        (smooth_l1, "smooth_l1_loss", {"beta": 0.7}),
        (smooth_l1, "smooth_l1_loss", {"beta": 2.5}),
        (smooth_l1, "smooth_l1_loss", {"beta": 0.0}),
    ],
)
def test_robust_losses_agree_with_torch(torch, loss, torchs, options, reduction):
    targets = normal(1, 4, 3, 2)

    def oracle(x):
        each = getattr(torch.nn.functional, torchs)(x, torch.tensor(targets), reduction="none", **options)
        return each.mean() if reduction == "mean" else each.flatten(1).mean(1)

    against_torch(torch, partial(loss, targets=targets, **options), oracle, 2 * normal(0, 4, 3, 2), reduction=reduction)


@pytest.mark.parametrize("quantiles", [(0.1, 0.5, 0.95), (0.3,)])
def test_quantile_agrees_with_sklearn(quantiles):
    from sklearn.metrics import mean_pinball_loss

    outputs, targets = normal(0, 8, 2, len(quantiles)), normal(1, 8, 2)
    expected = np.mean([mean_pinball_loss(targets, outputs[..., i], alpha=q) for i, q in enumerate(quantiles)])
    loss, grad = jax.value_and_grad(lambda x: quantile(x, targets, quantiles=quantiles).mean())(outputs)
    assert_close(loss, expected, 1e-5)
    slope = np.where(targets[..., None] > outputs, -np.array(quantiles), 1 - np.array(quantiles))
    assert_close(grad, slope / outputs.size, 1e-5)
    if len(quantiles) == 1:
        np.testing.assert_array_equal(
            quantile(outputs[..., 0], targets, quantiles=quantiles), quantile(outputs, targets, quantiles=quantiles)
        )


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("shape", [(9,), (9, 3)])
def test_correlation_agrees_with_numpy(shape, offset):
    outputs, targets = offset + normal(0, *shape), offset + normal(1, *shape)
    weights = np.array([1, 0, 2, 1, 0.5, 1, 3, 0, 1], np.float32)
    columns = [x.reshape(9, -1).astype(np.float64) for x in (outputs, targets)]
    covariances = [np.cov(a, b, aweights=weights) for a, b in zip(*(c.T for c in columns), strict=True)]
    expected = np.mean([1 - c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in covariances])
    outputs[1], targets[7] = np.nan, np.nan
    sums = correlation(outputs, targets, weights)
    assert_close(mean_of(sums), expected, 1e-5)
    assert float(sums["count"]) == weights.sum() * (len(columns[0][0]))


def test_the_gradient_of_correlation_agrees_with_finite_differences():
    with jax.enable_x64(True):
        x, y, w = (np.float64(normal(i, 6)) for i in range(3))

        @jax.jit
        def loss(x):
            return mean_of(correlation(x, y, jnp.abs(w)))

        check_grads(loss, (x,), order=1, modes=("rev",), atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_correlation_has_no_unit(scale):
    x, y = normal(0, 9), normal(1, 9)
    expected = mean_of(correlation(x, y, jnp.ones(9)))
    assert_close(mean_of(correlation(np.float32(scale) * x, y, jnp.ones(9))), expected, 1e-5)


def test_what_does_not_vary_does_not_correlate():
    loss, grad = jax.value_and_grad(lambda x: mean_of(correlation(x, jnp.arange(4.0), jnp.ones(4))))(jnp.ones(4))
    assert float(loss) == 1 and jnp.isfinite(grad).all()


def test_outputs_that_do_not_fit_are_refused():
    for loss in (mae, huber, smooth_l1, partial(correlation, weights=jnp.ones(4))):
        with pytest.raises(ShapeError, match="of outputs and targets"):
            loss(jnp.zeros((4, 1)), jnp.zeros(4))
    with pytest.raises(ShapeError, match="quantile with 2 quantiles"):
        quantile(jnp.zeros((4, 3)), jnp.zeros(4), quantiles=(0.1, 0.9))
