"""Frozen layers beside the layers themselves, and the optimizers that leave them alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.training import as_numpy, assert_same_bits, classes_batch, new_state
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import BatchNorm, Dense, Dropout, Frozen, MultiHeadAttention, Sequential, Stack, with_cache
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.optim import adamw
from zerfoo_jax.training import make_train_step

INNER = Sequential((Dense(4), BatchNorm(momentum=0.5), Dropout(0.5)))


def test_computes_what_the_layer_does_outside_training_in_any_mode(key):
    x = normal(0, 6, 5)
    params, state = INNER.init(key, x)
    expected, _ = INNER.apply(params, state, x)
    for mode in ({}, {"train": True}, {"train": True, "key": key}):
        y, after = Frozen(INNER).apply({}, {"params": params, "state": state}, x, **mode)
        np.testing.assert_array_equal(y, expected)
        assert_same_bits(after, {"params": params, "state": state})


def test_starts_as_the_layer_itself_would(key):
    params, state = INNER.init(key, normal(0, 6, 5))
    own, kept = Frozen(INNER).init(key, normal(0, 6, 5))
    assert own == {}
    assert_same_bits(kept, {"params": params, "state": state})


def test_has_no_gradient_but_passes_one_on(key):
    x = jnp.asarray(normal(0, 6, 5))
    _, state = Frozen(Dense(3)).init(key, x)
    grad = jax.grad(lambda x: jnp.sum(Frozen(Dense(3)).apply({}, state, x)[0]))(x)
    expected = np.asarray(state["params"]["kernel"]).sum(1)
    np.testing.assert_allclose(grad, np.broadcast_to(expected, x.shape), rtol=1e-5)


def test_no_optimizer_decay_or_average_touches_it_or_keeps_anything_for_it():
    model = Sequential((Stack(Frozen(Sequential((Dense(4), BatchNorm()))), 2), Dense(3)))
    batch = classes_batch(16)
    optimizer = adamw(0.1, weight_decay=0.5)
    state = new_state(model, optimizer, batch, ema=True, precision="bfloat16")
    before = as_numpy(state.state)
    assert sorted(state.params) == sorted(state.ema) == ["dense_0"]
    assert not any((4, 4) in (leaf.shape, leaf.shape[1:]) for leaf in jax.tree.leaves(state.opt_state))
    head = as_numpy(state.params)
    step = make_train_step(model, cross_entropy, optimizer, ema_decay=0.9, precision="bfloat16")
    for _ in range(3):
        state, _ = step(state, batch)
    assert_same_bits(state.state, before)
    assert not np.array_equal(state.params["dense_0"]["kernel"], head["dense_0"]["kernel"])


def test_memories_still_remember(key):
    attention = with_cache(MultiHeadAttention(2, causal=True), 4)
    x = jnp.asarray(normal(0, 2, 4, 8))
    params, state = jax.jit(attention.init)(key, x)
    frozen = {"params": params, "state": state}
    plain, still = jax.jit(attention.apply), jax.jit(Frozen(attention).apply)
    for part in (x[:, :2], x[:, 2:]):
        expected, state = plain(params, state, part)
        y, frozen = still({}, frozen, part)
        np.testing.assert_array_equal(y, expected)
    assert int(frozen["state"]["position"]) == 4


def test_problems_inside_are_all_found_with_their_places():
    broken = Sequential((Dense(4), MultiHeadAttention(2), MultiHeadAttention(3)))
    problems = walk(Frozen(broken), Spec((2, 5), jnp.float32)).problems
    assert [problem.place for problem in problems] == ["layer/multi_head_attention_0", "layer/multi_head_attention_1"]
    with pytest.raises(ShapeError, match="at layer"):
        check(Frozen(Dense(3)), Spec((2, 5), jnp.int32))
