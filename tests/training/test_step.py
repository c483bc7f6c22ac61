import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.training import MLP, as_numpy, assert_same_bits, classes_batch, new_state, numbers_batch
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.data.loader import Loader
from zerfoo_jax.data.source import ArraySource
from zerfoo_jax.layers import BatchNorm, Dense, Dropout, Sequential
from zerfoo_jax.losses import cross_entropy, mse
from zerfoo_jax.metrics import Accuracy, ConfusionMatrix, MeanAbsoluteError
from zerfoo_jax.metrics.base import add_sums
from zerfoo_jax.numeric import LossScale
from zerfoo_jax.optim import adam, adamw, clipped, cosine, sgd
from zerfoo_jax.training import make_eval_step, make_train_step

STEPS = 20


def torch_twin(torch, params):
    """The same MLP in torch, with kernels and biases as separate lists."""
    tensors = [torch.tensor(params[f"dense_{i}"][name], requires_grad=True) for i in range(3) for name in ("kernel", "bias")]

    def forward(x):
        w0, b0, w1, b1, w2, b2 = tensors
        return torch.tanh(torch.tanh(x @ w0 + b0) @ w1 + b1) @ w2 + b2

    return tensors, forward


@pytest.mark.oracle
@pytest.mark.parametrize("accumulate", [1, 3])
def test_equals_a_training_loop_written_in_torch(torch, accumulate):
    schedule, weights = cosine(0.02, STEPS, warmup_steps=3), np.array([1, 2, 0, 1, 0.5, 1, 1, 3, 1, 1, 1], np.float32)
    optimizer = clipped(adamw(schedule, weight_decay=0.1), 0.5)
    state = new_state(MLP, optimizer, classes_batch(11))
    tensors, forward = torch_twin(torch, as_numpy(state.params))
    groups = [{"params": tensors[0::2], "weight_decay": 0.1}, {"params": tensors[1::2], "weight_decay": 0.0}]
    oracle = torch.optim.AdamW(groups, 1.0)
    step = make_train_step(MLP, cross_entropy, optimizer, metrics={"accuracy": Accuracy()}, accumulate=accumulate)
    for i in range(STEPS):
        batch = {**classes_batch(11, seed=i), "weights": jnp.asarray(weights)}
        state, values = step(state, batch)
        for group in oracle.param_groups:
            group["lr"] = float(schedule(i))
        oracle.zero_grad()
        logits = forward(torch.tensor(np.asarray(batch["inputs"])))
        targets, w = torch.tensor(np.asarray(batch["targets"])).long(), torch.tensor(weights)
        loss = (torch.nn.functional.cross_entropy(logits, targets, reduction="none") * w).sum() / w.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tensors, 0.5)
        oracle.step()
        np.testing.assert_allclose(values["loss"], loss.item(), rtol=1e-4)
        expected = ((logits.argmax(-1) == targets) * w).sum() / w.sum()
        np.testing.assert_allclose(values["accuracy"], expected.item(), rtol=1e-5)
    ours = [state.params[f"dense_{i}"][name] for i in range(3) for name in ("kernel", "bias")]
    for mine, tensor in zip(ours, tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.detach(), rtol=1e-4, atol=1e-5)
    assert int(state.step) == STEPS and step.compilations == 1


def test_the_old_state_is_given_up_and_the_batch_is_not():
    batch, optimizer = classes_batch(6), adam(0.01)
    step = make_train_step(MLP, cross_entropy, optimizer, ema_decay=0.9)
    old = new_state(MLP, optimizer, batch, ema=True)
    new, _ = step(old, batch)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves((old.params, old.opt_state, old.ema, old.step)))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves((new, batch)))


def test_a_run_compiles_once_from_a_loader_and_after_a_trip_through_numpy():
    source = ArraySource(normal(0, 40, 4), np.arange(40, dtype=np.int32) % 3)
    optimizer = adamw(cosine(0.01, 30))
    state = new_state(MLP, optimizer, classes_batch(8), ema=True, precision="float16")
    step = make_train_step(MLP, cross_entropy, optimizer, ema_decay=0.9, precision="float16")
    with Loader(source, 8, steps=30) as loader:
        for loaded in loader:
            state, _ = step(state, loaded.batch)
            if loaded.step in (4, 11):
                key, host = state.key, as_numpy(state.replace(key=None))
                state = jax.device_put(host).replace(key=jax.random.wrap_key_data(np.asarray(jax.random.key_data(key))))
    assert step.compilations == 1


def test_from_the_third_compilation_on_a_warning_names_argument_and_shapes(caplog):
    optimizer = sgd(0.1)
    step, state = make_train_step(MLP, cross_entropy, optimizer), new_state(MLP, optimizer, classes_batch(4))
    with caplog.at_level(logging.WARNING):
        for size in (4, 5, 4):
            state, _ = step(state, classes_batch(size))
        assert (step.compilations, caplog.messages) == (2, [])
        state, _ = step(state, classes_batch(6))
        (message,) = caplog.messages
        assert "training step is being compiled again (compilation 3)" in message
        assert "[1]['inputs'] was float32(5, 4), is float32(6, 4)" in message
        step(state, {**classes_batch(6), "weights": jnp.ones(6)})
    assert "[1]['weights'] was absent, is float32(6,)" in caplog.messages[1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_state_and_reports_stay_float32_and_training_converges(precision):
    model = Sequential((Dense(16), BatchNorm(), Dense(3)))
    optimizer, batch = adam(0.03), classes_batch(64)
    state = new_state(model, optimizer, batch, precision=precision, ema=True)
    step = make_train_step(
        model, cross_entropy, optimizer, precision=precision, ema_decay=0.9, metrics={"accuracy": Accuracy()}
    )
    for _ in range(60):
        state, values = step(state, batch)
        assert not values.get("skipped", 0.0)
    assert values["loss"] < 0.25 and values["accuracy"] > 0.9
    kept = (state.params, state.state, state.opt_state, state.ema, values)
    assert {x.dtype.name for x in jax.tree.leaves(kept) if jnp.issubdtype(x.dtype, jnp.floating)} == {"float32"}
    evaluate, compute = make_eval_step(model, cross_entropy, precision=precision)
    loss = compute(evaluate(state.params, state.state, batch))["loss"]
    assert loss.dtype == jnp.float32 and loss < 0.3


def test_half_precision_really_computes_in_it():
    inputs = jnp.array([[1.0 + 2**-12]])  # float16 and bfloat16 round this to 1
    batch, model = {"inputs": inputs, "targets": jnp.zeros((1, 1))}, Dense(1, use_bias=False, kernel_init="ones")
    for precision, expected in (("float32", (1 + 2**-12) ** 2), ("float16", 1.0), ("bfloat16", 1.0)):
        step = make_train_step(model, mse, sgd(0.1), precision=precision)
        _, values = step(new_state(model, sgd(0.1), batch, precision=precision), batch)
        assert float(values["loss"]) == pytest.approx(expected, rel=1e-6)


def scaled_state(scale, finite_steps=0, optimizer=None):
    state = new_state(MLP, optimizer or sgd(0.1), numbers_batch(6), precision="float16")
    return state.replace(scaler=LossScale(jnp.float32(scale), jnp.int32(finite_steps)))


def test_float16_gradients_are_unscaled():
    batch, before = numbers_batch(6), as_numpy(scaled_state(1.0).params)
    full, _ = make_train_step(MLP, mse, sgd(0.1))(new_state(MLP, sgd(0.1), batch), batch)
    step = make_train_step(MLP, mse, sgd(0.1), precision="float16")
    for scale in (2.0**4, 2.0**15):
        half, values = step(scaled_state(scale), batch)
        assert values["skipped"] == 0
        for new, expected, old in zip(*map(jax.tree.leaves, (half.params, full.params, before)), strict=True):
            np.testing.assert_allclose(new - old, expected - old, rtol=0.02, atol=2e-4)


def test_small_gradients_survive_in_float16_thanks_to_the_scale():
    batch = {"inputs": 1e-3 * jnp.ones((1, 4)), "targets": -1e-4 * jnp.ones((1, 1))}
    model = Dense(1, use_bias=False, kernel_init="zeros")  # the gradient is 2e-7 and its cotangents are smaller still
    step = make_train_step(model, mse, sgd(1.0), precision="float16")
    state, _ = step(new_state(model, sgd(1.0), batch, precision="float16"), batch)
    np.testing.assert_allclose(state.params["kernel"], -2e-7, rtol=0.01)


def test_float16_overflow_is_skipped_halves_the_scale_and_training_goes_on():
    batch, step = numbers_batch(6), make_train_step(MLP, mse, adam(0.1), precision="float16")
    state = scaled_state(2.0**24, 77, adam(0.1))
    before = as_numpy((state.params, state.opt_state))
    state, values = step(state, batch)
    assert values["skipped"] == 1 and jnp.isfinite(values["loss"])
    assert (float(state.scaler.scale), int(state.scaler.finite_steps), int(state.step)) == (2.0**23, 0, 1)
    assert_same_bits((state.params, state.opt_state), before)
    for _ in range(20):
        state, values = step(state, batch)
    assert values["skipped"] == 0 and state.scaler.scale < 2.0**23


def test_the_scale_grows_after_2000_finite_steps():
    batch, step = numbers_batch(6), make_train_step(MLP, mse, sgd(0.01), precision="float16")
    state, scales = scaled_state(2.0**10, 1997), []
    for _ in range(4):
        state, _ = step(state, batch)
        scales.append(float(state.scaler.scale))
    assert scales == [2.0**10, 2.0**10, 2.0**11, 2.0**11]
    assert int(state.scaler.finite_steps) == 1


def test_the_average_follows_its_formula():
    optimizer, decay = sgd(0.2), 0.8
    step = make_train_step(MLP, mse, optimizer, ema_decay=decay)
    state = new_state(MLP, optimizer, numbers_batch(6), ema=True)
    history = [as_numpy(state.params)]
    for i in range(10):
        state, _ = step(state, numbers_batch(6, seed=i))
        history.append(as_numpy(state.params))
    # decay^10 p_0 + Σ (1 - decay) decay^(10 - k) p_k
    factors = [decay**10] + [(1 - decay) * decay ** (10 - k) for k in range(1, 11)]
    expected = jax.tree.map(lambda *ps: sum(f * p.astype(np.float64) for f, p in zip(factors, ps, strict=True)), *history)
    jax.tree.map(lambda e, x: np.testing.assert_allclose(e, x, rtol=1e-5, atol=1e-6), state.ema, expected)
    assert state.best_params is state.ema and state.replace(ema=None).best_params is state.params


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        ({}, {"ema_decay": 0.9}, "ema_decay is set but the state has no average"),
        ({"ema": True}, {}, "ema_decay is not set but the state has an average"),
        ({}, {"precision": "float16"}, "has no loss scale"),
        ({"precision": "float16"}, {"precision": "bfloat16"}, "has a loss scale"),
    ],
)
def test_a_state_that_was_not_made_for_the_step_is_refused(made, asked, words):
    state = new_state(MLP, sgd(0.1), numbers_batch(6), **made)
    with pytest.raises(ConfigError, match=words):
        make_train_step(MLP, mse, sgd(0.1), **asked)(state, numbers_batch(6))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"accumulate": 0}, "accumulate = 0"),
        ({"accumulate": 2.5}, r"accumulate = 2\.5"),
        ({"accumulate": True}, "accumulate = True"),
        ({"accumulate": None}, "accumulate = None"),
        ({"ema_decay": 1.5}, r"ema_decay = 1\.5"),
        ({"ema_decay": -0.1}, r"ema_decay = -0\.1"),
        ({"precision": "float8"}, "unknown precision 'float8'"),
        ({"metrics": {"loss": MeanAbsoluteError()}}, "metric cannot be called 'loss'"),
        ({"metrics": {"skipped": MeanAbsoluteError()}}, "metric cannot be called 'skipped'"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        make_train_step(MLP, mse, sgd(0.1), **options)


@pytest.mark.parametrize("weights", [(5,), (6, 2), (6, 3, 1)])
def test_weights_that_do_not_fit_are_refused(weights):
    batch = {**numbers_batch(6), "weights": jnp.ones(weights)}
    with pytest.raises(ShapeError, match="weights of shape"):
        make_train_step(MLP, mse, sgd(0.1))(new_state(MLP, sgd(0.1), batch), batch)


def test_randomness_differs_by_step_and_repeats_with_the_seed():
    model, batch = Sequential((Dropout(0.5), Dense(3))), numbers_batch(6)
    step = make_train_step(model, mse, sgd(0.0))

    def losses():
        state, found = new_state(model, sgd(0.0), batch), []
        for _ in range(4):
            state, values = step(state, batch)
            found.append(float(values["loss"]))
        return found

    assert losses() == losses() and len(set(losses())) == 4


def test_evaluation_over_padded_batches_equals_numpy_over_the_whole_set():
    model = Sequential((Dense(4), BatchNorm(), Dropout(0.5), Dense(3)))
    data, optimizer = classes_batch(29), sgd(0.1)
    state, _ = make_train_step(model, cross_entropy, optimizer)(new_state(model, optimizer, data), data)
    metrics = {"accuracy": Accuracy(), "confusion": ConfusionMatrix(3)}
    step, compute = make_eval_step(model, cross_entropy, metrics=metrics)
    total = None
    for start in range(0, 29, 8):
        rows = np.arange(start, start + 8)
        batch = {name: np.array(x)[np.minimum(rows, 28)] for name, x in data.items()}
        batch["weights"] = (rows < 29).astype(np.float32)
        batch["inputs"][rows >= 29] = np.nan  # padding may hold anything
        sums = step(state.params, state.state, batch)
        total = sums if total is None else add_sums(total, sums)
    values, (logits, targets) = compute(total), (evaluated(state, data), np.asarray(data["targets"]))
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    np.testing.assert_allclose(values["loss"], -log_p[np.arange(29), targets].mean(), rtol=1e-5)
    np.testing.assert_allclose(values["accuracy"], (logits.argmax(-1) == targets).mean(), rtol=1e-6)
    counts = np.zeros((3, 3))
    np.add.at(counts, (targets, logits.argmax(-1)), 1)
    np.testing.assert_array_equal(values["confusion"], counts)
    assert step.compilations == 1
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def evaluated(state, data):
    """Logits of the model above in float64 NumPy, from the running statistics and without dropout."""
    params, running = as_numpy(state.params), as_numpy(state.state)["batch_norm_0"]
    hidden = np.asarray(data["inputs"], np.float64) @ params["dense_0"]["kernel"] + params["dense_0"]["bias"]
    hidden = (hidden - running["mean"]) / np.sqrt(running["var"] + 1e-5)
    hidden = hidden * params["batch_norm_0"]["scale"] + params["batch_norm_0"]["bias"]
    return hidden @ params["dense_1"]["kernel"] + params["dense_1"]["bias"]
