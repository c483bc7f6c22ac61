"""Gradients of a batch in micro-batches are those of the whole batch, whatever its size and weights."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.training import MLP, as_numpy, classes_batch, new_state, numbers_batch
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import Activation, BatchNorm, Dense, Embedding, RMSNorm, Sequential
from zerfoo_jax.losses import cross_entropy, mse
from zerfoo_jax.losses.base import Weighted
from zerfoo_jax.metrics import Accuracy, ConfusionMatrix
from zerfoo_jax.numeric import Policy, policy
from zerfoo_jax.numeric.weighting import weighted_sums
from zerfoo_jax.optim import sgd
from zerfoo_jax.training import make_train_step
from zerfoo_jax.training.gradients import Objective, gradients, split, weights_of

TOKENS = Sequential((Embedding(5, 4), Activation("tanh"), Dense(5)))
METRICS = {"accuracy": Accuracy(), "confusion": ConfusionMatrix(5)}
FLOAT64 = Policy(jnp.float64, jnp.float64, jnp.float64)


def tokens_batch(size, weights, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 5, (2, size, 3)).astype(np.int32)
    return {"inputs": jnp.asarray(ids[0]), "targets": jnp.asarray(ids[1])} | some_weights(size, weights, rng)


def some_weights(size, kind, rng):
    if kind == "none":
        return {}
    shape = (size, 3) if kind == "per token" else (size,)
    weights = rng.random(shape).astype(np.float32) + 0.5
    weights[rng.random(shape) < 0.3] = 0
    weights[0] = 1
    return {"weights": jnp.asarray(weights)}


def after_a_step(model, loss, metrics, batch, accumulate):
    step = make_train_step(model, loss, sgd(0.5), metrics=metrics, accumulate=accumulate)
    state, values = step(new_state(model, sgd(0.5), batch), batch)
    return as_numpy(state.params), as_numpy(values)


def assert_all_close(actual, expected, tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), actual, expected)


@pytest.mark.parametrize(
    ("size", "weights", "counts"),
    [
        (12, "none", (2, 3, 4, 5)),
        (12, "per example", (5,)),
        (13, "none", (3,)),
        (13, "per example", (2, 3, 4, 5)),
        (13, "per token", (2, 5)),
    ],
)
def test_accumulation_changes_no_result_of_a_step(size, weights, counts):
    batch = tokens_batch(size, weights)
    expected = after_a_step(TOKENS, cross_entropy, METRICS, batch, 1)
    for accumulate in counts:
        assert_all_close(after_a_step(TOKENS, cross_entropy, METRICS, batch, accumulate), expected, 1e-6)


@pytest.mark.parametrize("size", [1, 3])
def test_one_number_per_example_accumulates_too_even_in_more_parts_than_examples(size):
    batch = numbers_batch(size)
    expected = after_a_step(MLP, mse, {}, batch, 1)
    assert_all_close(after_a_step(MLP, mse, {}, batch, 5), expected, 1e-6)


@pytest.mark.parametrize("weights", ["none", "per example"])
def test_in_float64_accumulation_agrees_to_twelve_digits_with_numpy(weights):
    size, w = 13, weights == "per example"
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((size, 4)), rng.standard_normal((4, 3))
    labels, weight = rng.integers(0, 3, size), rng.integers(0, 3, size).astype(float) if w else np.ones(size)
    z = x @ kernel
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    expected_loss = -np.average(np.log(p[np.arange(size), labels]), weights=weight)
    expected = x.T @ ((p - np.eye(3)[labels]) * weight[:, None]) / weight.sum()
    with jax.enable_x64(True):
        objective = Objective(Dense(3, use_bias=False), cross_entropy, {}, FLOAT64)
        batch = {"inputs": jnp.asarray(x), "targets": jnp.asarray(labels), "weights": jnp.asarray(weight)}
        batch = batch if w else {name: batch[name] for name in ("inputs", "targets")}
        for accumulate in (1, 2, 5):
            grads, _, sums = gradients(
                objective, {"kernel": jnp.asarray(kernel)}, {}, batch, jax.random.key(0), None, accumulate
            )
            assert grads["kernel"].dtype == jnp.float64
            np.testing.assert_allclose(grads["kernel"], expected, rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(objective.compute(sums)["loss"], expected_loss, rtol=1e-12)


def test_gradients_agree_with_finite_differences():
    with jax.enable_x64(True):
        batch = {name: jnp.asarray(x, jnp.float64) for name, x in numbers_batch(5).items()}
        batch["weights"] = jnp.array([1.0, 0.0, 2.0, 0.5, 1.0])
        objective = Objective(MLP, mse, {}, FLOAT64)
        params = new_state(MLP, sgd(0.1), batch, precision=FLOAT64).params
        grads, _, _ = gradients(objective, params, {}, batch, jax.random.key(0), None, 2)

        @jax.jit
        def loss(params):
            outputs, _ = objective.run(params, {}, batch, None, True)
            return jnp.sum(mse(outputs, batch["targets"]) * batch["weights"]) / 4.5

        for layer, name, place in (("dense_0", "kernel", (1, 2)), ("dense_1", "bias", (3,)), ("dense_2", "kernel", (4, 0))):

            def nudged(eps, layer=layer, name=name, place=place):
                return {**params, layer: {**params[layer], name: params[layer][name].at[place].add(eps)}}

            slope = (loss(nudged(1e-6)) - loss(nudged(-1e-6))) / 2e-6
            np.testing.assert_allclose(grads[layer][name][place], slope, rtol=1e-6, atol=1e-9)


def test_a_whole_micro_batch_without_weight_is_fine():
    batch = {**numbers_batch(6), "weights": jnp.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])}
    expected = after_a_step(MLP, mse, {}, {name: x[2:4] for name, x in batch.items()}, 1)
    assert_all_close(after_a_step(MLP, mse, {}, batch, 3), expected, 1e-6)


def test_filling_up_does_not_meet_singular_points():
    # The gradient of |y| / y at an all-zero row, which no example of this batch is, would be NaN.
    model = Sequential((Dense(4, use_bias=False), RMSNorm(epsilon=1e-45), Dense(3)))
    batch = numbers_batch(5)
    params, values = after_a_step(model, mse, {}, batch, 2)
    assert_all_close((params, values), after_a_step(model, mse, {}, batch, 1), 1e-5)


def test_layer_state_passes_from_micro_batch_to_micro_batch():
    model, batch = BatchNorm(momentum=0.5), numbers_batch(6, outputs=4)
    objective = Objective(model, mse, {}, Policy())
    state = new_state(model, sgd(0.1), batch)
    _, new, _ = gradients(objective, state.params, state.state, batch, state.key, None, 2)
    first, second = np.split(np.asarray(batch["inputs"]), 2)
    np.testing.assert_allclose(new["mean"], 0.25 * first.mean(0) + 0.5 * second.mean(0), rtol=1e-5, atol=1e-6)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(1, 17), st.integers(1, 9), st.booleans())
def test_splitting_keeps_every_example_once_and_fills_up_without_weight(size, count, weighted):
    batch = classes_batch(size, seed=size) | ({"weights": jnp.arange(1.0, size + 1)} if weighted else {})
    parts = split(batch, count)
    flat = {name: np.asarray(x).reshape(-1, *x.shape[2:]) for name, x in parts.items()}
    assert all(x.shape[:2] == (count, -(-size // count)) for x in parts.values())
    for name in ("inputs", "targets"):
        np.testing.assert_array_equal(flat[name][:size], batch[name])
        assert (flat[name][size:] == np.asarray(batch[name])[-1]).all()
    np.testing.assert_array_equal(flat["weights"][:size], weights_of(batch))
    assert not flat["weights"][size:].any()


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.data())
def test_accumulation_is_exact_for_any_size_weights_and_number_of_parts(data):
    size, count = data.draw(st.integers(1, 9)), data.draw(st.integers(2, 7))
    weights = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=size, max_size=size).filter(any))
    x, y, w = normal(size, size, 3), normal(count, size, 2), np.array(weights)
    kernel = normal(5, 3, 2)
    expected = x.T @ ((x @ kernel - y) * w[:, None]) / w.sum()  # of the mean over 2 outputs of squares
    batch = {"inputs": jnp.asarray(x), "targets": jnp.asarray(y), "weights": jnp.asarray(w, jnp.float32)}
    objective = Objective(Dense(2, use_bias=False), mse, {}, Policy())
    grads, _, _ = gradients(objective, {"kernel": jnp.asarray(kernel)}, {}, batch, jax.random.key(0), None, count)
    np.testing.assert_allclose(grads["kernel"], expected, rtol=1e-5, atol=1e-5)


def weighted_by_class(outputs, targets):
    return Weighted(cross_entropy(outputs, targets), jnp.array([0.0, 1.0, 3.0])[targets])


def weighted_sum(outputs, targets, weights):
    return weighted_sums(*(lambda each: (each.value, weights * each.weight))(weighted_by_class(outputs, targets)))


@pytest.mark.parametrize("loss", [weighted_by_class, weighted_sum])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_loss_with_weights_of_its_own_is_averaged_over_what_counts(loss, accumulate):
    batch = {**classes_batch(7), "weights": np.array([1, 2, 0, 1, 1, 0.5, 1], np.float32)}
    state = new_state(MLP, sgd(0.1), batch)
    objective = Objective(MLP, loss, {}, policy("float32"))
    grads, _, sums = jax.jit(
        lambda params, state, batch, key: gradients(objective, params, state, batch, key, None, accumulate)
    )(state.params, state.state, batch, state.key)

    def mean(params):
        value, own = weighted_by_class(MLP.apply(params, state.state, batch["inputs"])[0], batch["targets"])
        return jnp.average(value, weights=own * batch["weights"])

    expected, expected_grads = jax.value_and_grad(mean)(state.params)
    np.testing.assert_allclose(objective.compute(sums)["loss"], expected, rtol=1e-5)
    jax.tree.map(lambda g, e: np.testing.assert_allclose(g, e, rtol=1e-4, atol=1e-6), grads, expected_grads)


@dataclass(frozen=True)
class Penalty(Layer):
    """x itself; the mean of x² is an auxiliary loss."""

    def init(self, key, x):
        return {}, {"auxiliary_loss": jnp.zeros(())}

    def apply(self, params, state, x, *, key=None, train=False):
        return x, {"auxiliary_loss": 0.5 * jnp.mean(x**2)} if train else state


@pytest.mark.parametrize("accumulate", [1, 2])
def test_auxiliary_losses_in_the_state_are_minimised_too(accumulate):
    model, batch = Sequential((Dense(3), Penalty(), Penalty())), numbers_batch(6)
    state = new_state(model, sgd(0.1), batch)
    objective = Objective(model, mse, {}, policy("float32"))
    grads, _, sums = gradients(objective, state.params, state.state, batch, state.key, None, accumulate)

    def total(params):
        y = Dense(3).forward(params["dense_0"], batch["inputs"])
        return jnp.mean(mse(y, batch["targets"])) + jnp.mean(y**2)

    jax.tree.map(lambda g, e: np.testing.assert_allclose(g, e, rtol=1e-4, atol=1e-6), grads, jax.grad(total)(state.params))
    values = objective.compute(sums)
    np.testing.assert_allclose(values["loss"] + values["auxiliary_loss"], total(state.params), rtol=1e-5)
