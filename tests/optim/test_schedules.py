import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.optim import (
    SCHEDULES,
    constant,
    cosine,
    cosine_restarts,
    exponential,
    inverse_sqrt,
    learning_rate_scale,
    linear,
    multi_step,
    one_cycle,
    polynomial,
    reduce_on_plateau,
    sgd,
    step,
)

STEPS = 200


def rates(schedule, steps=STEPS + 1):
    return np.asarray(schedule(jnp.arange(steps)))


def torchs(torch, peak, make, steps=STEPS + 1):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], peak)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(found)


@pytest.mark.oracle
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_cosine_and_linear_agree_with_torch(torch, final):
    expected = torchs(torch, 0.3, lambda s, o: s.CosineAnnealingLR(o, STEPS, eta_min=0.3 * final))
    np.testing.assert_allclose(rates(cosine(0.3, STEPS, final_fraction=final)), expected, rtol=1e-5, atol=1e-6)
    expected = torchs(torch, 0.3, lambda s, o: s.LinearLR(o, 1.0, final, total_iters=STEPS))
    np.testing.assert_allclose(rates(linear(0.3, STEPS, final_fraction=final)), expected, rtol=1e-5, atol=1e-6)


# Our schedule and torch's of the same shape, over 200 steps from 0.3.
EQUALS = {
    "step": (step(0.3, STEPS, every=30, factor=0.4), lambda s, o: s.StepLR(o, 30, gamma=0.4)),
    "multi_step": (
        multi_step(0.3, STEPS, milestones=(20, 21, 150), factor=0.3),
        lambda s, o: s.MultiStepLR(o, [20, 21, 150], gamma=0.3),
    ),
    "exponential": (exponential(0.3, STEPS, final_fraction=0.2), lambda s, o: s.ExponentialLR(o, 0.2 ** (1 / STEPS))),
    "polynomial": (polynomial(0.3, STEPS, power=1.7), lambda s, o: s.PolynomialLR(o, STEPS, power=1.7)),
    "restarts": (
        cosine_restarts(0.3, STEPS, period=33, final_fraction=0.1),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 33, eta_min=0.03),
    ),
    "growing restarts": (
        cosine_restarts(0.3, STEPS, period=7, growth=3),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 7, T_mult=3),
    ),
    "one_cycle": (
        one_cycle(0.3, STEPS, warmup_steps=60, initial_fraction=0.1, final_fraction=0.02),
        lambda s, o: s.OneCycleLR(o, 0.3, STEPS + 1, pct_start=61 / (STEPS + 1), div_factor=10, final_div_factor=5),
    ),
    "straight one_cycle": (
        one_cycle(0.3, STEPS, shape="linear"),
        lambda s, o: s.OneCycleLR(o, 0.3, STEPS + 1, anneal_strategy="linear"),
    ),
    "inverse_sqrt": (
        inverse_sqrt(0.3, STEPS, warmup_steps=25),
        lambda s, o: s.LambdaLR(o, lambda n: min(n / 25, (25 / max(n, 1)) ** 0.5)),
    ),
    "warm-up": (
        step(0.3, STEPS, every=40, warmup_steps=20),
        lambda s, o: s.LambdaLR(o, lambda n: n / 20 if n < 20 else 0.1 ** ((n - 20) // 40)),
    ),
}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
@pytest.mark.parametrize("name", EQUALS)
def test_agrees_with_torch(torch, name):
    ours, make = EQUALS[name]
    np.testing.assert_allclose(rates(ours), torchs(torch, 0.3, make), rtol=1e-4, atol=1e-6)


@pytest.mark.oracle
@pytest.mark.parametrize("cooldown", [0, 5])
@pytest.mark.parametrize(("patience", "threshold"), [(0, 0.0), (3, 0.05), (10, 1e-4)])
def test_reduce_on_plateau_agrees_with_torch(torch, patience, threshold, cooldown):
    losses = 1 / (1 + np.arange(STEPS) // 20) + 0.02 * np.random.default_rng(patience).normal(size=STEPS)
    oracle = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    options = {"factor": 0.7, "patience": patience, "threshold": threshold, "cooldown": cooldown}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(oracle, eps=0.0, **options)
    expected = []
    for loss in losses:
        expected.append(oracle.param_groups[0]["lr"])
        scheduler.step(loss)
    optimizer, params = sgd(reduce_on_plateau(0.5, STEPS, **options)), {"kernel": jnp.ones(())}

    def one(state, loss):
        updates, state = optimizer.update({"kernel": jnp.ones(())}, state, params, value=loss)
        return state, -updates["kernel"]

    state, found = jax.lax.scan(one, optimizer.init(params), jnp.asarray(losses, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(learning_rate_scale(state), oracle.param_groups[0]["lr"] / 0.5, rtol=1e-4)
    assert expected[-1] < 0.4


def test_reduce_on_plateau_looks_at_means_and_has_a_least_rate():
    optimizer, params = (
        sgd(reduce_on_plateau(1.0, 99, patience=0, every=3, factor=0.5, min_fraction=0.3)),
        {"kernel": jnp.ones(())},
    )
    state, found = optimizer.init(params), []
    for value in [4.0, 1.0, 1.0, 0.0, 3.0, 3.0, 9.0, 0.0, 0.0, 5.0]:  # means 2, 2, 3
        updates, state = optimizer.update(params, state, params, value=value)
        found.append(round(-float(updates["kernel"]), 3))
    assert found == [1.0] * 6 + [0.5] * 3 + [0.3]
    assert all(bool(jnp.isfinite(x)) for x in jax.tree.leaves(optimizer.init(params)))
    assert learning_rate_scale(sgd(0.1).init(params)) is None


def test_milestones_that_do_not_rise_are_refused():
    for milestones, warmup in (((5, 5), 0), ((7, 3), 0), ((5,), 5)):
        with pytest.raises(ConfigError, match="do not rise"):
            multi_step(1.0, 10, milestones=milestones, warmup_steps=warmup)


@pytest.mark.parametrize("warmup", [1, 7, 50, 200])
@pytest.mark.parametrize("final", [0.0, 0.2])
def test_warm_up_and_fall_follow_their_formulas(warmup, final):
    step = np.arange(STEPS + 1)
    part = np.maximum(step - warmup, 0) / max(STEPS - warmup, 1)
    rise = step / warmup
    shapes = {
        "constant": np.ones(STEPS + 1),
        "cosine": final + (1 - final) * (1 + np.cos(np.pi * part)) / 2,
        "linear": final + (1 - final) * (1 - part),
    }
    for name, shape in shapes.items():
        options = {} if name == "constant" else {"final_fraction": final}
        found = rates(SCHEDULES[name](0.5, STEPS, warmup_steps=warmup, **options))
        np.testing.assert_allclose(found, 0.5 * np.where(step < warmup, rise, shape), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("make", [cosine, linear])
def test_the_final_rate_is_reached_and_kept(make):
    schedule = make(2.0, 50, warmup_steps=5, final_fraction=0.25)
    np.testing.assert_allclose([schedule(50), schedule(51), schedule(10**6)], 0.5, rtol=1e-6)


@pytest.mark.parametrize("make", [constant, cosine, linear, one_cycle])
def test_a_warm_up_longer_than_the_run_is_refused(make):
    with pytest.raises(ConfigError, match="warmup_steps = 11"):
        make(1.0, 10, warmup_steps=11)
