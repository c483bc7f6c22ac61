"""Every member of LOSSES keeps the contract: one number per example, pure, differentiable, in float32. One example each."""

from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.losses import LOSSES
from zerfoo_jax.losses.base import Weighted

CLASSES = np.array([0, 2, 1, 1, 0], np.int32)
ZERO_ONE = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]], np.float32)
SHARES = np.random.default_rng(2).dirichlet(np.ones(3), (2, 5)).astype(np.float32)
PAIR, LIKE = (normal(0, 5, 3), normal(1, 5, 3)), np.array([1, -1, -1, 1, -1], np.int32)

EXAMPLES = {
    "adversarial": (normal(0, 5, 3), np.zeros(5, np.float32)),
    "binary_cross_entropy": (SHARES[0], ZERO_ONE),
    "binary_cross_entropy_with_logits": (normal(0, 5, 3), ZERO_ONE),
    "contrastive": (PAIR, LIKE),
    "correlation": (normal(0, 5, 3), normal(1, 5, 3)),
    "cosine_embedding": (PAIR, LIKE),
    "cross_entropy": (normal(0, 5, 3), CLASSES),
    "ctc": (normal(0, 5, 6, 3), np.array([[1, 2], [1, 1], [2, -1], [-1, -1], [2, 1]], np.int32)),
    "dice": (SHARES[0][:, None], ZERO_ONE[:, None]),
    "focal": (normal(0, 5, 3), ZERO_ONE),
    "hinge": (normal(0, 5, 3), ZERO_ONE),
    "huber": (normal(0, 5, 3), normal(1, 5, 3)),
    "kl_divergence": (np.log(SHARES[0]), SHARES[1]),
    "mae": (normal(0, 5, 3), normal(1, 5, 3)),
    "mse": (normal(0, 5, 3), normal(1, 5, 3)),
    "multi_margin": (normal(0, 5, 3), CLASSES),
    "nll": (np.log(SHARES[0]), CLASSES),
    "quantile": (normal(0, 5, 3, 2), normal(1, 5, 3)),
    "smooth_l1": (normal(0, 5, 3), normal(1, 5, 3)),
    "softmax_focal": (normal(0, 5, 3), CLASSES),
    "triplet": ((*PAIR, normal(2, 5, 3)), np.zeros(5, np.float32)),
    "vocabulary_cross_entropy": ((normal(0, 5, 3), normal(1, 7, 3)), CLASSES),
    "wasserstein": (SHARES[0], SHARES[1]),
}
OPTIONS: dict[str, dict[str, object]] = {"quantile": {"quantiles": (0.2, 0.9)}}
OF_A_BATCH = {"correlation"}
"""Losses that are a number of the whole batch: given in sums, as no example has a value of its own."""
BAD_OPTIONS = {
    "binary_cross_entropy_with_logits": {"pos_weight": 0},
    "contrastive": {"margin": -1},
    "cosine_embedding": {"margin": 2},
    "cross_entropy": {"label_smoothing": 1.5, "class_weights": -1, "ignore_index": 0.5},
    "ctc": {"blank": -1},
    "dice": {"smooth": -1},
    "focal": {"gamma": -1, "alpha": 2},
    "hinge": {"margin": 0},
    "huber": {"delta": 0},
    "quantile": {"quantiles": 2},
    "smooth_l1": {"beta": -1},
    "triplet": {"margin": -1, "p": 0.5},
    "vocabulary_cross_entropy": {"logits_bytes": 0},
    "wasserstein": {"bin_width": 0},
}

every_member = pytest.mark.parametrize("name", sorted(LOSSES))


def test_every_member_has_an_example():
    assert sorted(EXAMPLES) == sorted(LOSSES)


def each(name, outputs, targets):
    """The loss of every example, in whichever form the member gives it."""
    loss, options = LOSSES[name], OPTIONS.get(name, {})
    if name in OF_A_BATCH:
        sums = loss(outputs, targets, jnp.ones(len(targets)), **options)
        return jnp.full(len(targets), sums["sum"] / sums["count"])
    if "weights" in signature(loss).parameters:
        only = np.eye(len(targets), dtype=np.float32)
        return jnp.stack([loss(outputs, targets, weights, **options)["sum"] for weights in only])
    given = loss(outputs, targets, **options)
    if not isinstance(given, Weighted):
        return given
    assert given.value.shape == given.weight.shape and (given.weight >= 0).all()
    return given.value


def cast(outputs, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), outputs)


@every_member
def test_gives_one_number_per_example_that_depends_on_that_example_only(name):
    outputs, targets = EXAMPLES[name]
    loss = each(name, outputs, targets)
    assert loss.shape == (5,) and loss.dtype == jnp.float32 and jnp.isfinite(loss).all()
    if name in OF_A_BATCH:
        return
    part = jax.tree.map(lambda x: x[3:4] if len(x) == 5 else x, outputs)
    np.testing.assert_allclose(each(name, part, targets[3:4]), loss[3:4], rtol=1e-6)


@every_member
def test_is_lowered_by_a_step_against_its_gradient(name):
    outputs, targets = EXAMPLES[name]

    @jax.jit
    def total(z):
        return each(name, z, targets).sum()

    value, grad = jax.value_and_grad(total)(outputs)
    assert jax.tree.all(jax.tree.map(lambda g: jnp.isfinite(g).all(), grad))
    assert total(jax.tree.map(lambda z, g: z - 0.01 * g, outputs, grad)) < value


@every_member
@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_half_precision_outputs_give_a_float32_loss(name, dtype):
    outputs, targets = EXAMPLES[name]
    loss = each(name, cast(outputs, dtype), targets)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, each(name, outputs, targets), rtol=0.05, atol=0.02)


@every_member
def test_has_a_docstring_with_an_example(name):
    assert ">>>" in (LOSSES[name].__doc__ or "")


@every_member
def test_bad_options_are_refused_with_their_name(name):
    with pytest.raises(ConfigError, match="no option 'nonsense'"):
        bind(LOSSES, {"name": name, "nonsense": 1}, "loss")
    for option, value in BAD_OPTIONS.get(name, {}).items():
        with pytest.raises(ConfigError, match=f"{option} = {value}"):
            bind(LOSSES, {"name": name, option: value}, "loss")
