from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.test_util import check_grads
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.spec import bind
from zerfoo_jax.losses import LOSSES, cross_entropy, reduce, vocabulary_cross_entropy
from zerfoo_jax.numeric import policy
from zerfoo_jax.numeric.weighting import mean_of
from zerfoo_jax.training.gradients import Objective, gradients

VOCAB, FEATURES = 37, 5


def example(*lead, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    hidden, kernel = normal(seed, *lead, FEATURES), normal(seed + 1, VOCAB, FEATURES)
    return hidden.astype(dtype), kernel.astype(dtype), rng.integers(0, VOCAB, lead).astype(np.int32)


def mean_and_gradients(hidden, kernel, targets, weights, scale=1.0, **options):
    def mean(hidden, kernel):
        return scale * mean_of(vocabulary_cross_entropy((hidden, kernel), targets, weights, **options))

    return jax.jit(jax.value_and_grad(mean, (0, 1)))(hidden, kernel)


@pytest.mark.oracle
@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize(("lead", "seed"), [((7,), 0), ((1, 1), 1), ((3, 5), 2)])
def test_agrees_with_torch_whatever_the_chunk(torch, lead, seed, rows):
    hidden, kernel, targets = example(*lead, seed=seed)
    targets.flat[-1] = -100 if targets.size > 1 else targets.flat[-1]
    h, k = torch.tensor(hidden, requires_grad=True), torch.tensor(kernel, requires_grad=True)
    loss = 3 * torch.nn.functional.cross_entropy((h @ k.T).flatten(0, -2), torch.tensor(targets).flatten().long())
    loss.backward()
    options = {"scale": 3.0, "ignore_index": -100, "logits_bytes": rows * VOCAB * 4}
    value, gradients = mean_and_gradients(hidden, kernel, targets, np.ones(lead[0], np.float32), **options)
    assert_close(value, loss.detach().numpy(), 1e-5)
    assert_close(gradients[0], h.grad.numpy(), 1e-4)
    assert_close(gradients[1], k.grad.numpy(), 1e-4)


@pytest.mark.parametrize("weights", [(3,), (3, 5)])
def test_weights_count_as_they_do_with_all_logits_at_hand(weights):
    hidden, kernel, targets = example(3, 5)
    w = np.random.default_rng(0).integers(0, 3, weights).astype(np.float32)

    def plain(hidden, kernel):
        return reduce(cross_entropy(hidden @ kernel.T, targets), weights=w)

    expected, expected_gradients = jax.value_and_grad(plain, (0, 1))(hidden, kernel)
    value, gradients = mean_and_gradients(hidden, kernel, targets, w, logits_bytes=4 * VOCAB * 4)
    assert_close(value, expected, 1e-5)
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-4), gradients, expected_gradients)


def test_agrees_with_finite_differences_for_weights_too():
    with jax.enable_x64(True):
        hidden, kernel, targets = example(5, dtype=np.float64)

        @jax.jit
        def total(hidden, kernel, weights):
            return vocabulary_cross_entropy((hidden, kernel), targets, weights, logits_bytes=2 * VOCAB * 8)["sum"] ** 2

        arguments = (hidden, kernel, np.linspace(0.5, 2.0, 5))
        assert total(*arguments).dtype == jnp.float64
        check_grads(total, arguments, order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)


def test_what_does_not_count_may_be_anything():
    hidden, kernel, targets = example(4)
    weights = np.array([1, 0, 2, 0], np.float32)
    expected = mean_and_gradients(hidden, kernel, targets, weights)
    hidden[1], targets[1], targets[3] = np.nan, -7, VOCAB
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), mean_and_gradients(hidden, kernel, targets, weights), expected
    )


def test_large_logits_lose_no_digits():
    hidden, kernel = np.array([[2**20]], np.float32), np.array([[1.0], [1 + 2**-20], [-1.0]], np.float32)
    p = np.array([1, np.e, 0]) / (1 + np.e)
    value, gradients = mean_and_gradients(hidden, kernel, np.array([1]), np.ones(1, np.float32))
    np.testing.assert_allclose(value, -np.log(p[1]), rtol=1e-5)
    np.testing.assert_allclose(gradients[1][:, 0], 2**20 * (p - [0, 1, 0]), rtol=1e-5)


@pytest.mark.parametrize("target", [-1, VOCAB, 2**31 - 1])
def test_a_class_that_does_not_exist_gives_nan(target):
    hidden, kernel, targets = example(4)
    targets[2] = target
    assert jnp.isnan(vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(4))["sum"])
    assert jnp.isnan(mean_and_gradients(hidden, kernel, targets, jnp.ones(4))[0])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_comes_back_in_half_and_is_summed_in_float32(dtype):
    # A sum of 8192 equal gradients would stop growing at 256 in bfloat16, and overflow in float16 before it is scaled.
    hidden, kernel = jnp.full((8192, FEATURES), 16, dtype), jnp.zeros((VOCAB, FEATURES), dtype)
    targets = jnp.zeros(8192, jnp.int32)
    value, gradients = mean_and_gradients(hidden, kernel, targets, jnp.ones(8192), logits_bytes=1000 * VOCAB * 4)
    assert value.dtype == jnp.float32 and all(g.dtype == dtype for g in gradients)
    np.testing.assert_allclose(value, np.log(VOCAB), rtol=1e-5)
    np.testing.assert_allclose(np.float32(gradients[1][0]), 16 * (1 / VOCAB - 1), rtol=0.01)
    np.testing.assert_allclose(np.float32(gradients[1][1]), 16 / VOCAB, rtol=0.01)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint32])
def test_targets_may_be_of_any_integer_dtype(dtype):
    hidden, kernel, targets = example(4)
    kernel = np.concatenate([kernel] * 8)
    expected = vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(4))["sum"]
    np.testing.assert_allclose(
        mean_and_gradients(hidden, kernel, targets.astype(dtype), jnp.ones(4))[0] * 4, expected, rtol=1e-6
    )


def test_computes_nothing_twice_and_only_the_loss_where_nothing_is_differentiated():
    hidden, kernel, targets = example(8)

    def total(hidden, kernel):
        return vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(8), logits_bytes=2 * VOCAB * 4)["sum"]

    assert str(jax.make_jaxpr(total)(hidden, kernel)).count("dot_general[") == 1
    differentiated = str(jax.make_jaxpr(jax.grad(total, (0, 1)))(hidden, kernel))
    assert differentiated.count("dot_general[") == 3
    assert f"[2,{VOCAB}]" in differentiated and f"[8,{VOCAB}]" not in differentiated


@dataclass(frozen=True)
class Head(Layer):
    """Gives its input as hidden and its kernel."""

    def apply(self, params, state, *xs, key=None, train=False):
        return (xs[0], params["kernel"]), state


@pytest.mark.parametrize("accumulate", [1, 3])
def test_trains_in_micro_batches_too(accumulate):
    hidden, kernel, targets = example(7, 2)
    targets[4, 1] = 3
    loss = bind(LOSSES, {"name": "vocabulary_cross_entropy", "ignore_index": 3, "logits_bytes": 4 * VOCAB * 4}, "loss")
    objective = Objective(Head(), loss, {}, policy("float32"))
    batch = {"inputs": jnp.asarray(hidden), "targets": jnp.asarray(targets)}
    grads, _, sums = gradients(objective, {"kernel": kernel}, {}, batch, jax.random.key(0), None, accumulate)
    expected = jax.grad(lambda kernel: reduce(cross_entropy(hidden @ kernel.T, targets, ignore_index=3)))(kernel)
    assert float(sums["loss"]["count"]) == (targets != 3).sum()
    assert_close(grads["kernel"], expected, 1e-4)


def test_no_tokens_are_no_loss():
    hidden, kernel, targets = example(0)
    sums = vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(0))
    assert (float(sums["sum"]), float(sums["count"])) == (0, 0)


@pytest.mark.parametrize(
    ("hidden", "kernel", "targets"),
    [
        (jnp.zeros((3, 2)), jnp.zeros((4, 3)), jnp.zeros(3, jnp.int32)),
        (jnp.zeros((3, 2)), jnp.zeros((4, 2)), jnp.zeros(2, jnp.int32)),
        (jnp.zeros((3, 2)), jnp.zeros((4, 2)), jnp.zeros(3)),
        (jnp.zeros((3, 2)), jnp.zeros((1, 4, 2)), jnp.zeros(3, jnp.int32)),
        (jnp.zeros((3, 2)), jnp.zeros((4, 2), jnp.bfloat16), jnp.zeros(3, jnp.int32)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(hidden, kernel, targets):
    with pytest.raises(ShapeError, match="vocabulary_cross_entropy: hidden"):
        vocabulary_cross_entropy((hidden, kernel), targets, jnp.ones(targets.shape[0]))
