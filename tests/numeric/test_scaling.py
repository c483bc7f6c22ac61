import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.numeric import LossScale
from zerfoo_jax.numeric.scaling import GROWTH_INTERVAL, LARGEST, all_finite


def test_the_scale_follows_the_rule_over_a_long_history():
    rng = np.random.default_rng(0)
    finite = rng.random(9000) > 1 / 3000
    finite[:3] = False
    adjust = jax.jit(lambda state, flags: jax.lax.scan(lambda s, f: (s.adjust(f), s.adjust(f).scale), state, flags))
    _, scales = adjust(LossScale.create(), finite)
    scale, run, expected = 2.0**15, 0, []
    for good in finite:
        run = run + 1 if good else 0
        if not good:
            scale = max(scale / 2, 1.0)
        elif run == GROWTH_INTERVAL:
            scale, run = min(scale * 2, LARGEST), 0
        expected.append(scale)
    assert np.diff(expected).max() > 0  # it grew at least once
    np.testing.assert_array_equal(scales, expected)


@pytest.mark.parametrize(("start", "finite", "expected"), [(1.0, False, 1.0), (LARGEST, True, LARGEST), (2.0, False, 1.0)])
def test_the_scale_stays_within_bounds(start, finite, expected):
    state = LossScale(scale=jnp.float32(start), finite_steps=jnp.int32(GROWTH_INTERVAL - 1)).adjust(jnp.array(finite))
    assert (float(state.scale), int(state.finite_steps)) == (expected, 0)
    assert (state.scale.dtype, state.finite_steps.dtype) == (jnp.float32, jnp.int32)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_number_anywhere_is_seen(dtype, bad):
    largest = jnp.finfo(dtype).max
    tree = {"a": jnp.full((3, 5), largest, dtype), "b": (jnp.arange(3), jnp.zeros(7, dtype)), "k": jax.random.key(0)}
    seen = jax.jit(all_finite)
    assert seen(tree)  # the largest numbers do not overflow the check itself
    assert not seen({**tree, "a": tree["a"].at[2, 3].set(bad)})
    assert not seen({**tree, "b": (tree["b"][0], tree["b"][1].at[-1].set(bad))})


def test_opposite_infinities_do_not_cancel():
    assert not all_finite(jnp.array([jnp.inf, -jnp.inf]))


@pytest.mark.parametrize("tree", [{}, jnp.arange(3), jnp.zeros((0, 4))])
def test_nothing_is_finite(tree):
    assert all_finite(tree)
