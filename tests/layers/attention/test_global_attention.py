import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers import GlobalAttention


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_the_formula_in_torch(torch, seed):
    def oracle(params, x, mask):
        hidden = torch.tanh(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
        scores = (hidden @ params["score"]["kernel"]).squeeze(-1).masked_fill(~mask, -torch.inf)
        return (torch.softmax(scores, 1).unsqueeze(-1) * x).sum(1)

    mask = np.random.default_rng(seed).random((3, 5)) < 0.6
    mask[:, 2] = True
    against_torch(torch, GlobalAttention(4), oracle, normal(seed, 3, 5, 6), mask, seed=seed)


def test_gradients_agree_with_finite_differences():
    against_finite_differences(GlobalAttention(3), normal(0, 2, 4, 5))


def test_a_row_without_positions_gives_zeros_and_one_position_itself():
    layer, x = GlobalAttention(3), normal(0, 2, 4, 5)
    mask = jnp.array([[False] * 4, [False, False, True, False]])
    params, _ = random_variables(layer, x, mask)
    y = layer.forward(params, x, mask)
    assert not y[0].any()
    np.testing.assert_allclose(y[1], x[1, 2], rtol=1e-6)
    grads = jax.grad(lambda p: layer.forward(p, x, mask).sum())(params)
    assert all(jnp.isfinite(g).all() for g in jax.tree.leaves(grads))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [([(3, 5)], "batch, seq, features"), ([(3, 5, 6), (3, 4)], "got bool"), ([(3, 5, 6), (3, 5, 1)], "boolean mask")],
)
def test_inputs_that_do_not_fit_are_refused(key, shapes, words):
    with pytest.raises(ShapeError, match=words):
        GlobalAttention(4).init(key, *map(jax.ShapeDtypeStruct, shapes, [jnp.float32, jnp.bool_]))
