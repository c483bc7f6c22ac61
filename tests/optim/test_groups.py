import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.optim import adamw, clipped, grouped, lbfgs, penalized, reduce_on_plateau, sgd
from zerfoo_jax.optim.leaves import first_match

PARAMS = {
    "stem": {"conv_0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}},
    "head": {"kernel": jnp.ones(3), "bias": jnp.ones(3)},
}
ONES = jax.tree.map(jnp.ones_like, PARAMS)


def updates(optimizer, grads=ONES, params=PARAMS):
    return optimizer.update(grads, optimizer.init(params), params)[0]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    {
        "head/*": {"head/kernel", "head/bias"},
        "head": set(),
        "*": set(),
        "stem/*": set(),
        "stem/**": {"stem/conv_0/kernel", "stem/conv_0/bias"},
        "**/kernel": {"stem/conv_0/kernel", "head/kernel"},
        "**": {"stem/conv_0/kernel", "stem/conv_0/bias", "head/kernel", "head/bias"},
        "s*/conv_[0-9]/b??s": {"stem/conv_0/bias"},
        "**/conv_0/**/bias": {"stem/conv_0/bias"},
        "HEAD/*": set(),
    }.items(),
)
def test_patterns_of_paths(pattern, matched):
    found = {
        "/".join(key.key for key in path)
        for path, number in jax.tree_util.tree_leaves_with_path(first_match(PARAMS, [pattern]))
        if number == 0
    }
    assert found == matched


def test_the_first_match_counts_and_frozen_leaves_stay():
    optimizer = grouped(adamw(0.1), {"head/bias": sgd(3.0), "**/bias": None, "head/*": sgd(lambda step: 2.0 + step)})
    found = updates(optimizer)
    np.testing.assert_allclose(found["head"]["bias"], -3.0)
    np.testing.assert_allclose(found["head"]["kernel"], -2.0)
    np.testing.assert_array_equal(found["stem"]["conv_0"]["bias"], 0.0)
    np.testing.assert_allclose(found["stem"]["conv_0"]["kernel"], -0.1 * (1 + 0.01), rtol=1e-5)


def test_what_is_frozen_is_no_part_of_a_common_norm():
    grads = {**ONES, "stem": jax.tree.map(lambda x: 1e6 * x, ONES["stem"])}
    optimizer = grouped(sgd(1.0), {"stem/**": None, "head/bias": sgd(2.0)}, around=lambda inside: clipped(inside, 0.6))
    found = updates(optimizer, grads)
    np.testing.assert_allclose(found["head"]["kernel"], -0.6 / 6**0.5, rtol=1e-6)
    np.testing.assert_allclose(found["head"]["bias"], -1.2 / 6**0.5, rtol=1e-6)


def test_a_pattern_without_parameters_is_refused_with_the_nearest_paths():
    optimizer = grouped(sgd(1.0), {"head/*": sgd(1.0), "head/kernle": None, "head/kernel": None})
    with pytest.raises(ConfigError) as caught:
        optimizer.init(PARAMS)
    first, second = caught.value.problems
    assert "'head/kernle' matches no parameter" in first.cause and "did you mean 'head/kernel'" in first.fix
    assert second.place == "groups[2].match"


def quadratic(params):
    return sum(
        jnp.sum((x - 3.0) ** 2 * (1 + jnp.arange(x.size, dtype=jnp.float32).reshape(x.shape))) for x in jax.tree.leaves(params)
    )


def minimised(optimizer, steps, value_fn=quadratic):
    @jax.jit
    def one(params, state):
        value, grads = jax.value_and_grad(value_fn)(params)
        changes, state = optimizer.update(grads, state, params, value=value, grad=grads, value_fn=value_fn)
        return optax.apply_updates(params, changes), state

    params, state = PARAMS, optimizer.init(PARAMS)
    for _ in range(steps):
        params, state = one(params, state)
    return params


def test_a_group_that_searches_along_a_line_holds_the_others_still():
    found = minimised(grouped(lbfgs(1.0), {"stem/**": None}), 8)
    np.testing.assert_allclose(found["head"]["kernel"], 3.0, rtol=1e-4)
    np.testing.assert_array_equal(found["stem"]["conv_0"]["kernel"], 1.0)


def test_a_penalty_is_part_of_what_a_line_search_minimises():
    l1, l2 = 0.4, 0.7
    found = minimised(penalized(lbfgs(1.0), l1=l1, l2=l2), 12)
    curvature = 2 * (1 + np.arange(3))
    np.testing.assert_allclose(found["head"]["kernel"], (3 * curvature - l1) / (curvature + l2), rtol=1e-4)
    np.testing.assert_allclose(found["head"]["bias"], 3.0, rtol=1e-4)


@pytest.mark.parametrize("match", [("head/*",), ("**/kernel", "**/embedding")])
def test_a_penalty_adds_its_gradient(match):
    kernel, grad = normal(0, 4), normal(1, 4)
    params = {"head": {"kernel": jnp.asarray(kernel), "scale": jnp.asarray(kernel)}}
    found = updates(penalized(sgd(1.0), l1=0.3, l2=0.2, match=match), {"head": {"kernel": grad, "scale": grad}}, params)["head"]
    expected = -(grad + 0.3 * np.sign(kernel) + 0.2 * kernel)
    np.testing.assert_allclose(found["kernel"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["scale"], expected if match == ("head/*",) else -grad, rtol=1e-5)


def test_a_penalty_on_nothing_is_refused():
    with pytest.raises(ConfigError, match="'neck/\\*' matches no parameter"):
        penalized(sgd(1.0), l1=0.3, match=("neck/*",)).init(PARAMS)
    with pytest.raises(ConfigError, match=r"penalized\.l2 = -1\.0"):
        penalized(sgd(1.0), l2=-1.0)


def test_lbfgs_needs_no_tuning_on_a_narrow_valley():
    def rosenbrock(params):
        x, y = params["head"]["kernel"][0], params["head"]["kernel"][1]
        return 100 * (y - x**2) ** 2 + (1 - x) ** 2

    start = {"head": {"kernel": jnp.array([-1.2, 1.0])}}
    optimizer = lbfgs(1.0)

    @jax.jit
    def one(params, state):
        value, grads = jax.value_and_grad(rosenbrock)(params)
        changes, state = optimizer.update(grads, state, params, value=value, grad=grads, value_fn=rosenbrock)
        return optax.apply_updates(params, changes), state

    params, state = start, optimizer.init(start)
    for _ in range(40):
        params, state = one(params, state)
    np.testing.assert_allclose(params["head"]["kernel"], 1.0, rtol=1e-3)
    with pytest.raises(ConfigError, match=r"c1 = 0\.9 is not below"):
        lbfgs(1.0, c1=0.9, c2=0.5)


def test_a_group_follows_its_own_schedule_on_the_loss():
    optimizer = grouped(sgd(1.0), {"head/*": sgd(reduce_on_plateau(1.0, 9, patience=0))})
    state = optimizer.init(PARAMS)
    for _ in range(3):
        found, state = optimizer.update(ONES, state, PARAMS, value=1.0)
    np.testing.assert_allclose(found["head"]["kernel"], -0.1, rtol=1e-6)
    np.testing.assert_allclose(found["stem"]["conv_0"]["kernel"], -1.0)
