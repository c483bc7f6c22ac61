import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import AdaptiveSoftmax, MixtureSoftmax


def adaptive_oracle(torch, layer):
    """torch's own layer with the parameters put in its places."""

    class LogProb(torch.nn.AdaptiveLogSoftmaxWithLoss):
        def forward(self, x):
            return self.log_prob(x)

    def oracle(params, x):
        module = LogProb(x.shape[-1], layer.num_classes, list(layer.cutoffs), layer.div_value, head_bias=layer.use_bias)
        weights = {"head.weight": params["head"]["kernel"].T}
        weights |= {"head.bias": params["head"]["bias"]} if layer.use_bias else {}
        for i in range(len(layer.cutoffs)):
            for j in (0, 1):
                weights[f"tail.{i}.{j}.weight"] = params[f"tail_{i}"][f"dense_{j}"]["kernel"].T
        assert set(weights) == set(dict(module.named_parameters()))
        log_p = torch.func.functional_call(module, weights, x.reshape(-1, x.shape[-1]))
        log_p = log_p.reshape(*x.shape[:-1], -1)
        return log_p if layer.output == "log_probabilities" else log_p.exp()

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (AdaptiveSoftmax(11, (2, 5, 9), 2.0, use_bias=True), (3, 9)),
        (AdaptiveSoftmax(7, (3,), output="probabilities"), (2, 2, 4)),
    ],
)
def test_adaptive_agrees_with_torchs_own_layer(torch, layer, shape):
    against_torch(torch, layer, adaptive_oracle(torch, layer), normal(0, *shape), seed=shape[-1])


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (MixtureSoftmax(7, 3, 4), (2, 5)),
        (MixtureSoftmax(5, 2, 3, output="probabilities"), (2, 3, 4)),
    ],
)
def test_mixture_agrees_with_torch(torch, layer, shape):
    def oracle(params, x):
        prior = torch.softmax(x @ params["prior"]["kernel"], -1)
        latent = torch.tanh(x @ params["latent"]["kernel"] + params["latent"]["bias"])
        p = 0.0
        for k, hidden in enumerate(latent.split(layer.features, -1)):
            logits = hidden @ params["decoder"]["kernel"] + params["decoder"]["bias"]
            p = p + prior[..., k, None] * torch.softmax(logits, -1)
        return p.log() if layer.output == "log_probabilities" else p

    against_torch(torch, layer, oracle, normal(0, *shape), seed=shape[-1])


@pytest.mark.parametrize("layer", [AdaptiveSoftmax(5, (2, 3), 2.0, use_bias=True), MixtureSoftmax(4, 2, 3)])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(0, 2, 4))


@pytest.mark.parametrize("layer", [AdaptiveSoftmax(9, (2, 5), 2.0), MixtureSoftmax(9, 3, 2)])
def test_probabilities_sum_to_one_however_large_the_logits(layer):
    x = normal(0, 3, 8)
    params, state = random_variables(layer, x, scale=30.0)
    log_p = jax.jit(layer.apply)(params, state, x)[0]
    assert jnp.isfinite(log_p).all()
    np.testing.assert_allclose(jnp.exp(log_p).sum(-1), 1, rtol=1e-4)


def test_a_mixture_has_more_than_the_rank_of_its_hidden_width():
    x = normal(0, 40, 6)
    ranks = []
    for components in (1, 4):
        layer = MixtureSoftmax(20, components, 2)
        params, state = random_variables(layer, x, scale=2.0)
        log_p = jax.jit(layer.apply)(params, state, x)[0]
        ranks.append(np.linalg.matrix_rank(np.asarray(log_p), tol=1e-3))
    assert ranks[0] <= 4 < ranks[1]


@pytest.mark.parametrize("cutoffs", [(), (3, 3), (5, 2), (4, 10), (0, 3)])
def test_cutoffs_that_do_not_rise_are_refused(cutoffs):
    with pytest.raises(ConfigError, match="cutoffs"):
        AdaptiveSoftmax(10, cutoffs)


def test_a_cluster_without_numbers_is_refused():
    with pytest.raises(ShapeError, match="cluster 1 no numbers of 8 features"):
        check(AdaptiveSoftmax(10, (2, 5)), Spec((1, 8), jnp.float32))
