from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import contrastive, cosine_embedding, triplet

SIGNS = np.array([1, -1, -1, 1, -1, 1, -1], np.int32)


@pytest.mark.oracle
@pytest.mark.parametrize("low", [-1, 0])
@pytest.mark.parametrize("margin", [0.0, 0.4, -0.5])
def test_cosine_embedding_agrees_with_torch(torch, margin, low):
    def oracle(a, b):
        return torch.nn.functional.cosine_embedding_loss(a, b, torch.tensor(SIGNS), margin=margin, reduction="none")

    targets = np.where(SIGNS > 0, 1, low)
    loss = partial(cosine_embedding, targets=targets, margin=margin)
    against_torch(torch, lambda a, b: loss((a, b)), oracle, normal(0, 7, 5), normal(1, 7, 5))


@pytest.mark.oracle
@pytest.mark.parametrize("margin", [1.0, 3.5])
def test_contrastive_agrees_with_its_formula_in_torch(torch, margin):
    def oracle(a, b):
        d, together = (a - b).norm(dim=-1), torch.tensor(SIGNS > 0)
        return torch.where(together, d**2 / 2, torch.clamp(margin - d, min=0) ** 2 / 2)

    loss = partial(contrastive, targets=jnp.asarray(SIGNS), margin=margin)
    against_torch(torch, lambda a, b: loss((a, b)), oracle, normal(0, 7, 5), normal(1, 7, 5))


@pytest.mark.oracle
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(("p", "margin"), [(2.0, 1.0), (1.0, 2.5), (3.0, 0.5)])
@pytest.mark.parametrize("lead", [(7,), (2, 3)])
def test_triplet_agrees_with_torch(torch, lead, p, margin, swap):
    def oracle(*x):
        return torch.nn.functional.triplet_margin_loss(*x, margin=margin, p=p, swap=swap, reduction="none")

    loss = partial(triplet, targets=jnp.zeros(lead), margin=margin, p=p, swap=swap)
    against_torch(torch, lambda *x: loss(x), oracle, *(normal(i, *lead, 5) for i in range(3)))


@pytest.mark.parametrize("loss", [cosine_embedding, contrastive, triplet])
@pytest.mark.parametrize("embedding", [0.0, 1.0])
def test_equal_embeddings_have_finite_gradients(loss, embedding):
    x = jnp.full((2, 3), embedding)
    count = 3 if loss is triplet else 2
    grads = jax.grad(lambda *xs: loss(xs, jnp.array([1, 0])).sum(), tuple(range(count)))(*[x] * count)
    assert all(jnp.isfinite(g).all() for g in grads)


def test_outputs_and_targets_that_do_not_fit_are_refused():
    a = jnp.zeros((4, 3))
    for loss in (cosine_embedding, contrastive):
        with pytest.raises(ShapeError, match="needs 2 outputs"):
            loss((a, a[:, :2]), jnp.zeros(4))
        with pytest.raises(ShapeError, match="needs 2 outputs"):
            loss((a, a, a), jnp.zeros(4))
        with pytest.raises(ShapeError, match="got one of"):
            loss(a, jnp.zeros(4))
        with pytest.raises(ShapeError, match="needs targets of shape"):
            loss((a, a), jnp.zeros((4, 1)))
    with pytest.raises(ShapeError, match="needs 3 outputs"):
        triplet((a, a), jnp.zeros(4))
