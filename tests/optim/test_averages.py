"""Schedule-free and lookahead beside their papers' formulas in float64, and the parameters to evaluate with."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.optim import adam, clipped, evaluation_params, grouped, lookahead, reduce_on_plateau, schedule_free, sgd

STEPS = 12


def gradient(xp, x, step):
    return xp.sin(3 * x + 0.1 * step) + 0.2 * x


def ours(optimizer, start):
    params = {"kernel": jnp.asarray(start)}

    def one(step, carry):
        params, state = carry
        grads = {"kernel": gradient(jnp, params["kernel"], step.astype(jnp.float32))}
        updates, state = optimizer.update(grads, state, params, value=jnp.float32(1))
        return optax.apply_updates(params, updates), state

    @jax.jit
    def run(params):
        params, state = jax.lax.fori_loop(0, STEPS, one, (params, optimizer.init(params)))
        return params, evaluation_params(state, params)

    return [tree["kernel"] for tree in run(params)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("base", ["sgd", "adamw"])
def test_schedule_free_follows_its_paper(seed, base):
    start, b1, b2, eps, decay, power = normal(seed, 4, 3), 0.8, 0.9, 1e-3, 0.2, 1.5

    def rate(step):
        return 0.1 * min(1.0, (step + 1) / 5)

    x = z = start.astype(np.float64)
    v = total = 0.0
    for t in range(STEPS):
        y = (1 - b1) * z + b1 * x
        g = gradient(np, y, t)
        v = b2 * v + (1 - b2) * g**2
        u = g if base == "sgd" else g / (np.sqrt(v / (1 - b2 ** (t + 1))) + eps)
        z = z - rate(t) * (u + decay * y)
        total += rate(t) ** power
        c = rate(t) ** power / total
        x = (1 - c) * x + c * z
    options = {"b1": b1, "b2": b2, "eps": eps, "weight_decay": decay, "weight_rate_power": power}
    found = ours(schedule_free(lambda t: 0.1 * jnp.minimum(1.0, (t + 1) / 5), base=base, **options), start)
    np.testing.assert_allclose(found[0], (1 - b1) * z + b1 * x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], x, rtol=1e-4, atol=1e-5)


def test_schedule_free_waits_while_the_rate_is_zero():
    start = normal(0, 4, 3)
    for found in ours(schedule_free(lambda t: jnp.float32(0) * t), start):
        np.testing.assert_allclose(found, start, rtol=1e-6)


@pytest.mark.parametrize(("every", "alpha"), [(1, 0.3), (3, 0.5), (5, 0.9)])
def test_lookahead_follows_its_paper(every, alpha):
    start = normal(0, 4, 3)
    fast = slow = start.astype(np.float64)
    m = 0.0
    for t in range(STEPS):
        m = 0.7 * m + gradient(np, fast, t)
        fast = fast - 0.1 * m
        if (t + 1) % every == 0:
            fast = slow = slow + alpha * (fast - slow)
    found = ours(lookahead(sgd(0.1, momentum=0.7), every=every, alpha=alpha), start)
    np.testing.assert_allclose(found[0], fast, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], slow, rtol=1e-4, atol=1e-5)


def test_the_average_is_found_inside_other_wrappers_and_groups():
    params = {"head": {"kernel": jnp.ones(3)}, "stem": {"kernel": jnp.ones(3)}}
    inside = grouped(sgd(0.5), {"head/*": schedule_free(reduce_on_plateau(0.5, 10), base="sgd", b1=0.5)})
    optimizer = clipped(inside, 1e6)
    state = optimizer.init(params)
    for _ in range(2):
        updates, state = optimizer.update(params, state, params, value=1.0)
        params = optax.apply_updates(params, updates)
    averaged = evaluation_params(state, params)
    np.testing.assert_array_equal(averaged["stem"]["kernel"], params["stem"]["kernel"])
    # z: 1, 0.5, then 0.25 as y is 0.5 and its gradient 0.5; x is their mean without the first
    np.testing.assert_allclose(averaged["head"]["kernel"], (0.5 + 0.25) / 2, rtol=1e-6)
    assert not np.allclose(averaged["head"]["kernel"], params["head"]["kernel"])


def test_without_an_average_the_parameters_are_those_that_are_trained():
    params = {"kernel": jnp.ones(3)}
    assert evaluation_params(adam(0.1).init(params), params) is params


def test_bad_options_of_lookahead_are_refused():
    with pytest.raises(ConfigError, match=r"lookahead\.alpha = 1\.5"):
        lookahead(sgd(0.1), alpha=1.5)
