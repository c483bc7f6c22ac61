import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Activation, BatchNorm, Dense, Flatten, MixtureOfExperts, Sequential
from zerfoo_jax.training.gradients import auxiliary_loss


def oracle_of(torch, layer):
    """The mixture with the experts' outputs gathered for each position by torch's topk."""

    def oracle(params, x):
        p = torch.softmax((x @ params["gate"]["kernel"] + params["gate"]["bias"]) / layer.temperature, -1)
        ys = [x @ params[f"expert_{i}"]["kernel"] + params[f"expert_{i}"]["bias"] for i in range(len(layer.experts))]
        width = max(y.shape[-1] for y in ys)
        y = torch.stack([torch.nn.functional.pad(y, (0, width - y.shape[-1])) for y in ys], -2)
        if layer.top_k is None:
            return (p[..., None] * y).sum(-2)
        top = p.topk(layer.top_k)
        weights = top.values if layer.top_k == 1 else top.values / top.values.sum(-1, keepdim=True)
        return (weights[..., None] * torch.take_along_dim(y, top.indices[..., None], -2)).sum(-2)

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (MixtureOfExperts((Dense(3), Dense(3))), (5, 4)),
        (MixtureOfExperts((Dense(3), Dense(3), Dense(3)), temperature=0.5), (1, 4)),
        (MixtureOfExperts((Dense(3),) * 4, top_k=2, temperature=2.0), (2, 3, 5)),
        (MixtureOfExperts((Dense(2),) * 3, top_k=1, balance_weight=0.1), (6, 4)),
        (MixtureOfExperts((Dense(1), Dense(3)), pad=True), (3, 2)),
    ],
)
def test_agrees_with_torch(torch, layer, shape):
    against_torch(torch, layer, oracle_of(torch, layer), normal(0, *shape), seed=shape[-1])


@pytest.mark.parametrize("top_k", [None, 1, 2])
def test_gradients_agree_with_finite_differences(top_k):
    against_finite_differences(MixtureOfExperts((Dense(2),) * 3, top_k), normal(0, 2, 3))


def balance_by_loops(p, k):
    """n Σ f P in float64, one position at a time."""
    counts = np.zeros(p.shape[-1])
    for row in p.reshape(-1, p.shape[-1]):
        counts[np.argsort(-row)[:k]] += 1
    return p.shape[-1] * (counts / counts.sum() * p.reshape(-1, p.shape[-1]).mean(0)).sum()


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_training_notes_how_unevenly_the_experts_are_used(top_k):
    layer, x = MixtureOfExperts((Dense(2),) * 4, top_k, balance_weight=0.3), normal(top_k, 7, 3, 5)
    params, state = random_variables(layer, x, scale=1.0)
    assert auxiliary_loss(state) == 0 and state["auxiliary_loss"].dtype == jnp.float32

    @jax.jit
    def run(params):
        def loss(params):
            return auxiliary_loss(layer.apply(params, state, x, train=True)[1])

        return *jax.value_and_grad(loss)(params), layer.apply(params, state, x)[1]

    loss, grads, after_evaluation = run(params)
    kernel, bias = (np.asarray(params["gate"][name], np.float64) for name in ("kernel", "bias"))
    logits = x @ kernel + bias
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(loss, 0.3 * balance_by_loops(p, top_k), rtol=1e-5)
    assert grads["gate"]["kernel"].any()
    assert not any(g.any() for g in jax.tree.leaves(grads["expert_0"]))
    assert after_evaluation == state


def test_descent_on_the_balance_evens_out_the_choices():
    layer, x = MixtureOfExperts((Dense(1),) * 4, 1, balance_weight=1.0), normal(0, 256, 3)
    params, state = random_variables(layer, x)
    params["gate"]["bias"] = jnp.array([3.0, 0.0, 0.0, 0.0])

    @jax.jit
    def fit(params):
        def loss(params):
            return layer.apply(params, state, x, train=True)[1]["auxiliary_loss"]

        def step(_, params):
            return jax.tree.map(lambda p, g: p - 0.2 * g, params, jax.grad(loss)(params))

        after = jax.lax.fori_loop(0, 200, step, params)
        return loss(params), loss(after)

    before, after = fit(params)
    assert before > 2 and 0.9 < after < 1.15


def test_state_of_experts_and_no_state_without_balance():
    x = normal(0, 4, 3)
    layer = MixtureOfExperts((Sequential((Dense(2), BatchNorm())), Dense(2)), 1, balance_weight=0.1)
    params, state = random_variables(layer, x)
    _, new_state = layer.apply(params, state, x, train=True)
    assert jax.tree.map(jnp.shape, new_state) == jax.tree.map(jnp.shape, state)
    assert set(state) == {"expert_0", "auxiliary_loss"}
    assert random_variables(MixtureOfExperts((Dense(2), Dense(2)), 1), x)[1] == {}


def test_a_gate_of_ones_own():
    x = normal(0, 4, 3)
    layer = MixtureOfExperts((Dense(2), Dense(2)), gate=Sequential((Dense(2), Activation("relu"))))
    params, state = random_variables(layer, x)
    dead = {**params, "gate": {"dense_0": {"kernel": jnp.zeros((3, 2)), "bias": jnp.array([-1.0, -2.0])}}}
    experts = [x @ np.asarray(p["kernel"]) + np.asarray(p["bias"]) for p in (params["expert_0"], params["expert_1"])]
    assert_close(layer.apply(dead, state, x)[0], sum(experts) / 2, 1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"experts": ()}, "0 experts"),
        ({"experts": (Dense(2),) * 2, "top_k": 3}, "top_k = 3 does not fit 2 experts"),
        ({"experts": (Dense(2),) * 2, "balance_weight": 0.1}, "needs top_k"),
        ({"experts": (Dense(2),) * 2, "temperature": 0.0}, "temperature"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        MixtureOfExperts(**options)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (MixtureOfExperts((Dense(2), Dense(3))), "equal shapes"),
        (MixtureOfExperts((Flatten(), Flatten())), r"gate outputs \(2, 2\).*got \(2, 5, 2\)"),
        (MixtureOfExperts((Dense(2), Dense(2)), gate=Dense(3)), r"gate outputs \(2, 5, 2\).*got \(2, 5, 3\)"),
    ],
)
def test_experts_and_gates_that_do_not_fit_are_refused(layer, words):
    with pytest.raises(ShapeError, match=words):
        check(layer, Spec((2, 5, 4), jnp.float32))
