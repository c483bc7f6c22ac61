import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, normal, outputs_and_gradients
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import Softmax, entmax, sparsemax

ALPHAS = [1.1, 1.5, 2.0, 2.5, 4.0]


def by_root_finding(z, alpha):
    """entmax of one vector from its definition, in float64."""
    brentq = pytest.importorskip("scipy.optimize").brentq
    z = (alpha - 1) * (np.asarray(z, np.float64) - z.max())
    tau = brentq(lambda t: (np.maximum(z - t, 0) ** (1 / (alpha - 1))).sum() - 1, -1, 0, xtol=1e-15)
    return np.maximum(z - tau, 0) ** (1 / (alpha - 1))


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_the_root_of_its_definition(alpha, dtype):
    x = 2 * normal(int(10 * alpha), 20, 7).astype(dtype)
    x[0], x[1, :4], x[2] = 3.0, 1.5, x[2] + 1000.0
    with jax.enable_x64(dtype == np.float64):
        y = np.asarray(jax.jit(lambda x: entmax(x, alpha=alpha))(x))
    assert y.dtype == dtype
    expected = np.stack([by_root_finding(row, alpha) for row in x])
    # A change of ε in a logit can move a probability by ε^(1 / (α - 1)).
    tolerance = 20 * float(np.finfo(dtype).eps) ** min(1, 1 / (alpha - 1))
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)
    assert (y == 0).mean() > 0.1 or alpha < 1.5


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    x = 2 * normal(0, 30, 6).astype(np.float64)
    y = np.asarray(sparsemax(jnp.asarray(x, jnp.float32)))
    others = np.random.default_rng(1).dirichlet(np.full(6, 0.3), 4000)
    assert (((y - x) ** 2).sum(-1)[:, None] <= ((others - x[:, None]) ** 2).sum(-1) + 1e-5).all()
    assert 0.2 < (y == 0).mean() < 0.8
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)


def test_its_ends_are_softmax_and_sparsemax_exactly():
    x = normal(0, 5, 6)
    one, softmax, two, sparse = jax.jit(
        lambda x: (entmax(x, alpha=1.0), jax.nn.softmax(x), entmax(x, alpha=2.0), sparsemax(x))
    )(x)
    assert jnp.array_equal(one, softmax) and jnp.array_equal(two, sparse)


@pytest.mark.parametrize("alpha", [1.0, 1.3, 2.0, 2.5])
def test_gradients_agree_with_finite_differences(alpha):
    against_finite_differences(Softmax({"name": "entmax", "alpha": alpha}), normal(3, 2, 5))


def test_second_derivatives_agree_with_finite_differences():
    with jax.enable_x64(True):
        x = jnp.asarray(normal(3, 5), jnp.float64)
        gradient = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(entmax(x, alpha=1.5)))))
        jax.test_util.check_grads(gradient, (x,), order=1, modes=("rev",), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_minus_infinity_gets_nothing_and_leaves_gradients_finite(alpha):
    x = np.array([1.0, -np.inf, 0.5], np.float32)
    y, (_, (grad,)) = outputs_and_gradients(Softmax({"name": "entmax", "alpha": alpha}), ({}, {}), (x,), jnp.arange(3.0))
    assert y[1] == 0 and jnp.isfinite(grad).all()
    np.testing.assert_allclose(y[::2], by_root_finding(x[::2], alpha), rtol=1e-5)


def test_half_precision_is_computed_in_float32():
    x = jnp.asarray(normal(0, 50), jnp.bfloat16)
    exact = entmax(x.astype(jnp.float32), alpha=1.5)
    assert jnp.array_equal(entmax(x, alpha=1.5), exact.astype(jnp.bfloat16))


def loom_sparsemax(z):
    """LOOM's formula, in float64."""
    descending = np.sort(z)[::-1]
    k = max(k for k in range(1, len(z) + 1) if 1 + k * descending[k - 1] > descending[:k].sum())
    return np.maximum(z - (2 * descending[:k].sum() - 1) / k, 0)


def test_loom_compat_gives_looms_own_values():
    measured = np.array([0.1, -0.2, 0.3, -0.4])  # on the released LOOM
    np.testing.assert_allclose(sparsemax(jnp.asarray(measured, jnp.float32), loom_compat=True), [0.3, 0, 0.5, 0], atol=1e-6)
    softmax = np.exp(measured) / np.exp(measured).sum()
    blend = 0.7 * softmax + 0.3 * np.array([0.3, 0, 0.5, 0])
    y = entmax(jnp.asarray(measured, jnp.float32), alpha=1.3, loom_compat=True)
    np.testing.assert_allclose(y, blend / blend.sum(), rtol=1e-5)
    for z in normal(4, 10, 5):
        np.testing.assert_allclose(sparsemax(jnp.asarray(z), loom_compat=True), loom_sparsemax(z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, float("nan"), "many"])
def test_bad_alphas_are_refused(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        Softmax({"name": "entmax", "alpha": alpha})
