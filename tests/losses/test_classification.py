import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import cross_entropy


def torchs(torch, logits, labels, smoothing, cotangent):
    """Loss and gradient by torch, classes last."""
    z = torch.tensor(logits, requires_grad=True)
    t = torch.tensor(labels)
    classes_first = t.movedim(-1, 1) if t.ndim == z.ndim and z.ndim > 1 else t
    loss = torch.nn.functional.cross_entropy(
        z.movedim(-1, 1) if z.ndim > 1 else z, classes_first, reduction="none", label_smoothing=smoothing
    )
    loss.backward(torch.tensor(cotangent))
    return loss.detach().numpy(), z.grad.numpy()


def ours(logits, labels, smoothing, cotangent):
    loss, pull = jax.vjp(lambda z: cross_entropy(z, jnp.asarray(labels), label_smoothing=smoothing), jnp.asarray(logits))
    return loss, pull(jnp.asarray(cotangent))[0]


@pytest.mark.oracle
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize(("lead", "classes"), [((4,), 3), ((1,), 7), ((2, 5), 3), ((2, 3, 4), 2), ((), 5)])
def test_agrees_with_torch(torch, lead, classes, smoothing, soft):
    rng = np.random.default_rng(classes)
    logits, cotangent = 3 * normal(1, *lead, classes), normal(2, *lead)
    numbers = rng.integers(0, classes, lead)
    # Unnormalised on purpose: the definition holds for any weights.
    labels = rng.random((*lead, classes)).astype(np.float32) if soft and lead else numbers
    expected, gradient = torchs(torch, logits, labels, smoothing, cotangent)
    loss, grad = ours(logits, labels if soft and lead else numbers.astype(np.int32), smoothing, cotangent)
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("logits", [[1e4, 1e4 - 1, -1e4], [-1e4, -1e4, -1e4], [1e4, 0.0, 0.0], [3e38, -3e38, 0.0]])
def test_extreme_logits_lose_no_digits(torch, logits, soft):
    rows = np.array([logits] * 3, np.float32)
    labels = np.eye(3, dtype=np.float32) if soft else np.arange(3)
    expected, gradient = torchs(torch, rows, labels, 0.0, np.ones(3, np.float32))
    loss, grad = ours(rows, labels if soft else labels.astype(np.int32), 0.0, np.ones(3, np.float32))
    if soft:  # 0 · infinity, in torch too, where a difference of logits overflows
        expected, loss = np.nan_to_num(expected), jnp.nan_to_num(loss)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(grad, gradient, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_half_precision_logits_are_computed_in_float32(dtype, smoothing):
    logits = jnp.asarray(10 * normal(0, 5, 300), dtype)
    labels = jnp.arange(5)
    wide = np.asarray(logits, np.float64)
    log_p = wide - wide.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    expected = -(1 - smoothing) * log_p[np.arange(5), np.arange(5)] - smoothing * log_p.mean(-1)
    loss = cross_entropy(logits, labels, label_smoothing=smoothing)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert jax.grad(lambda z: cross_entropy(z, labels).sum())(logits).dtype == dtype
    soft = jax.nn.one_hot(labels, 300)
    np.testing.assert_allclose(cross_entropy(logits, soft, label_smoothing=smoothing), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int16, jnp.uint32, jnp.int32])
def test_class_numbers_may_be_of_any_integer_dtype(dtype):
    logits = normal(0, 3, 256)
    labels = jnp.array([0, 7, 127], dtype)
    expected = cross_entropy(logits, jax.nn.one_hot(labels.astype(jnp.int32), 256))
    np.testing.assert_allclose(cross_entropy(logits, labels), expected, rtol=1e-6)


@pytest.mark.parametrize("label", [-1, -3, 3, 100, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_class_that_does_not_exist_gives_nan_and_spoils_no_neighbour(label, smoothing):
    loss = cross_entropy(jnp.zeros((3, 3)), jnp.array([0, label, 2]), label_smoothing=smoothing)
    assert np.isnan(loss).tolist() == [False, True, False]


def test_a_negative_class_number_of_few_bits_gives_nan_too():
    assert np.isnan(cross_entropy(jnp.zeros((2, 256)), jnp.array([-1, 5], jnp.int8))).tolist() == [True, False]


def test_an_excluded_class_may_have_minus_infinity():
    logits = jnp.array([[1.0, -jnp.inf, 2.0]])
    loss, grad = jax.value_and_grad(lambda z: cross_entropy(z, jnp.array([0])).sum())(logits)
    np.testing.assert_allclose(loss, np.log(1 + np.e), rtol=1e-6)
    assert jnp.isfinite(grad).all() and grad[0, 1] == 0


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        ((4, 3), jnp.zeros(5, jnp.int32)),
        ((4, 3), jnp.zeros(4)),
        ((4, 3), jnp.zeros((4, 1), jnp.int32)),
        ((4, 3), jnp.zeros((4, 3), jnp.int32)),
        ((4, 3), jnp.zeros((4, 2))),
        ((4, 3), jnp.zeros(4, bool)),
    ],
)
def test_labels_that_do_not_fit_are_refused(logits, labels):
    with pytest.raises(ShapeError, match="fit neither"):
        cross_entropy(jnp.zeros(logits), labels)
