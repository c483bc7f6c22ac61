import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Activation, AdversarialPair, BatchNorm, Dense, Sequential

X = normal(0, 6, 2)
PAIR = AdversarialPair(
    Sequential((Dense(5), Activation("tanh"), Dense(2))), Sequential((Dense(4), Activation("tanh"), Dense(1))), 3
)
REAL, FAKE, GENERATED = range(3)


def test_columns_are_the_discriminators_logits_of_real_and_of_generated(key):
    params, state = random_variables(PAIR, X)
    y, _ = jax.jit(lambda key: PAIR.apply(params, state, X, key=key, train=True))(key)
    discriminate = jax.jit(lambda x: PAIR.discriminator.apply(params["discriminator"], {}, x)[0][:, 0])
    assert_close(y[:, REAL], discriminate(X), 1e-6)
    np.testing.assert_array_equal(y[:, FAKE], y[:, GENERATED])
    still, _ = PAIR.apply(params, state, X)
    zero = PAIR.generator.apply(params["generator"], {}, jnp.zeros((6, 3)))[0]
    assert_close(still[:, FAKE], discriminate(zero), 1e-6)
    assert not np.allclose(y[:, FAKE], still[:, FAKE], atol=1e-3)


@pytest.mark.parametrize(("column", "trained"), [(REAL, "discriminator"), (FAKE, "discriminator"), (GENERATED, "generator")])
def test_each_column_trains_one_network_and_leaves_the_other_alone(key, column, trained):
    params, state = random_variables(PAIR, X)

    @jax.jit
    def gradient(params):
        return jax.grad(lambda params: PAIR.apply(params, state, X, key=key, train=True)[0][:, column].sum())(params)

    grads = gradient(params)
    for name in ("generator", "discriminator"):
        moved = [bool(jnp.any(g != 0)) for g in jax.tree.leaves(grads[name])]
        assert all(moved) if name == trained else not any(moved)


def test_the_generators_gradient_is_that_of_the_discriminator_of_its_output(key):
    params, state = random_variables(PAIR, X)

    def by_pair(generator):
        return PAIR.apply({**params, "generator": generator}, state, X, key=key, train=True)[0][:, GENERATED].sum()

    def by_hand(generator):
        fake = PAIR.generator.apply(generator, {}, drawn(key))[0]
        return PAIR.discriminator.apply(params["discriminator"], {}, fake)[0].sum()

    jax.tree.map(
        lambda a, b: assert_close(a, b, 1e-5), *(jax.jit(jax.grad(f))(params["generator"]) for f in (by_pair, by_hand))
    )


def drawn(key):
    """The z of a training step: seen through a generator that is the identity and a discriminator that picks one feature."""
    columns = []
    for i in range(3):
        pair = AdversarialPair(Dense(3, use_bias=False), Dense(1, use_bias=False), 3)
        params = {"generator": {"kernel": jnp.eye(3)}, "discriminator": {"kernel": jnp.eye(3)[:, i : i + 1]}}
        columns.append(pair.apply(params, {}, jnp.zeros((6, 3)), key=key, train=True)[0][:, FAKE])
    return jnp.stack(columns, axis=1)


def test_draws_are_standard_normal_and_new_for_every_key(key):
    z = np.asarray(jax.jit(jax.vmap(drawn))(jax.random.split(key, 60)))
    assert abs(z.mean()) < 0.15 and abs(z.std() - 1) < 0.1 and len(np.unique(z)) == z.size


def test_statistics_follow_real_and_generated_examples(key):
    pair = AdversarialPair(Sequential((Dense(2), BatchNorm())), Sequential((BatchNorm(momentum=0.5), Dense(1))), 3)
    params, state = random_variables(pair, X)
    _, new = pair.apply(params, state, X, key=key, train=True)
    fake, _ = pair.generator.apply(params["generator"], state["generator"], drawn(key), train=True)
    expected = 0.25 * 0 + 0.25 * X.mean(0) + 0.5 * np.asarray(fake).mean(0)
    assert_close(new["discriminator"]["batch_norm_0"]["mean"], expected, 1e-5)
    assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, state)


@pytest.mark.parametrize(
    ("generator", "discriminator", "text"),
    [(Dense(3), Dense(1), r"equal shapes, got \(1, 2\) and \(1, 3\)"), (Dense(2), Dense(2), "one logit for each example")],
)
def test_parts_that_do_not_fit_are_refused(generator, discriminator, text):
    with pytest.raises(ShapeError, match=text):
        check(AdversarialPair(generator, discriminator, 3), Spec((1, 2), jnp.float32))


def test_training_without_a_key_is_refused():
    params, state = random_variables(PAIR, X)
    with pytest.raises(ConfigError, match="needs a random key"):
        PAIR.apply(params, state, X, train=True)
