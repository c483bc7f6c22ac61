import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, random_variables
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import gpt

IDS = jnp.asarray(np.random.default_rng(0).integers(0, 13, (2, 7)), jnp.int32)
SMALL = {"vocab_size": 13, "num_layers": 2, "features": 8, "num_heads": 2}


def count(params):
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("vocab", "layers", "features", "heads", "ratio"), [(256, 4, 256, 4, 4), (13, 1, 6, 3, 2), (50257, 12, 768, 12, 4)]
)
def test_parameter_count_follows_the_closed_form(vocab, layers, features, heads, ratio):
    model = gpt(vocab_size=vocab, num_layers=layers, features=features, num_heads=heads, hidden_ratio=ratio)
    params, state = jax.eval_shape(lambda key: model.init(key, Spec((1, 8), jnp.int32)), jax.random.key(0))
    attention, feed_forward = 4 * (features**2 + features), 2 * ratio * features**2 + (ratio + 1) * features
    norms = 2 * 2 * features
    assert count(params) == 2 * vocab * features + layers * (attention + feed_forward + norms) + 2 * features
    assert state == {}


def test_a_later_token_never_changes_an_earlier_answer():
    model = gpt(**SMALL)
    params, state = random_variables(model, IDS)
    run = jax.jit(lambda ids: model.apply(params, state, ids)[0])
    logits = run(IDS)
    for place in range(7):
        changed = run(IDS.at[:, place].set((IDS[:, place] + 5) % 13))
        np.testing.assert_array_equal(changed[:, :place], logits[:, :place])
        assert not np.allclose(changed[:, place:], logits[:, place:], atol=1e-3)


def test_scanned_unrolled_and_rematerialised_are_one_function():
    reference = gpt(**SMALL)
    params, state = random_variables(reference, IDS)

    def loss_and_gradient(model):
        def loss(params):
            return jnp.sum(jnp.sin(model.apply(params, state, IDS, train=True)[0]))

        return jax.jit(jax.value_and_grad(loss))(params)

    loss, grads = loss_and_gradient(reference)
    for options in ({"unroll": True}, {"remat": True}):
        other, other_grads = loss_and_gradient(gpt(**SMALL, **options))
        np.testing.assert_allclose(other, loss, rtol=1e-5)
        jax.tree.map(lambda a, b: assert_close(a, b, 1e-4), other_grads, grads)


def test_positions_matter_only_relative_to_each_other():
    # Equal tokens everywhere: without an absolute position every place gives the same answer, and order still counts.
    model = gpt(**{**SMALL, "num_layers": 1})
    params, state = random_variables(model, IDS)
    repeated = jnp.tile(jnp.array([[3, 3]], jnp.int32), (1, 4))
    run = jax.jit(lambda ids: model.apply(params, state, ids)[0])
    logits = run(repeated)
    np.testing.assert_allclose(logits[0, 1:], jnp.broadcast_to(logits[0, :1], (7, 13)), rtol=1e-4, atol=1e-4)
    shuffled = run(IDS[:, jnp.array([1, 0, 2, 3, 4, 5, 6])])
    assert not np.allclose(shuffled[:, -1], run(IDS)[:, -1], atol=1e-3)


def test_dropout_acts_in_training_only(key):
    model = gpt(**SMALL, dropout=0.5)
    params, state = random_variables(model, IDS)

    @jax.jit
    def run(key):
        still, plain = (m.apply(params, state, IDS)[0] for m in (model, gpt(**SMALL)))
        return still, plain, model.apply(params, state, IDS, key=key, train=True)[0]

    still, plain, dropped = run(key)
    np.testing.assert_allclose(still, plain, rtol=1e-6)
    assert not np.allclose(dropped, still, atol=1e-3)
