import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.optim import SCHEDULES, constant, cosine, linear

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


@pytest.mark.parametrize("make", [constant, cosine, linear])
def test_a_warm_up_longer_than_the_run_is_refused(make):
    with pytest.raises(ConfigError, match="warmup_steps = 11"):
        make(1.0, 10, warmup_steps=11)
