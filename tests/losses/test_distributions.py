from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from tests.support.layers import assert_close
from tests.support.losses import against_torch
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.losses import kl_divergence, wasserstein


def distributions(seed, *lead, bins=6):
    return np.random.default_rng(seed).dirichlet(np.ones(bins), lead).astype(np.float32)


@pytest.mark.oracle
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("lead", [(1,), (5,), (2, 3)])
def test_kl_divergence_agrees_with_torch(torch, lead, log_target):
    targets = distributions(0, *lead)
    targets = np.log(targets) if log_target else targets * (targets > 0.1)

    def oracle(x):
        return torch.nn.functional.kl_div(x, torch.tensor(targets), reduction="none", log_target=log_target).sum(-1)

    outputs = np.log(distributions(1, *lead))
    against_torch(torch, partial(kl_divergence, targets=targets, log_target=log_target), oracle, outputs)


@pytest.mark.oracle
def test_its_mean_is_torchs_batchmean(torch):
    targets, outputs = distributions(0, 5), np.log(distributions(1, 5))

    def oracle(x):
        return torch.nn.functional.kl_div(x, torch.tensor(targets), reduction="batchmean")

    against_torch(torch, partial(kl_divergence, targets=targets), oracle, outputs, reduction="mean")


@pytest.mark.parametrize("width", [1.0, 0.25])
def test_wasserstein_agrees_with_scipy(width):
    a, b = distributions(0, 4), distributions(1, 4)
    places = width * np.arange(6)
    expected = [wasserstein_distance(places, places, u, v) for u, v in zip(a, b, strict=True)]
    assert_close(wasserstein(a, b, bin_width=width), expected, 1e-5)


@pytest.mark.oracle
def test_the_gradient_of_wasserstein_agrees_with_torch(torch):
    targets = distributions(0, 2, 3)

    def oracle(x):
        return (x - torch.tensor(targets)).cumsum(-1)[..., :-1].abs().sum(-1)

    against_torch(torch, partial(wasserstein, targets=targets), oracle, distributions(1, 2, 3))


@pytest.mark.parametrize("loss", [kl_divergence, wasserstein])
def test_shapes_that_differ_are_refused(loss):
    with pytest.raises(ShapeError, match=f"{loss.__name__} of outputs and targets"):
        loss(jnp.zeros((4, 3)), jnp.zeros(4))
