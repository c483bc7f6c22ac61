import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import FeedForward


def oracle_of(torch, act, layer):
    def project(params, x):
        return torch.nn.functional.linear(x, params["kernel"].T, params.get("bias"))

    def oracle(params, x):
        inside = act(project(params["gate" if layer.gated else "up"], x))
        return project(params["down"], inside * project(params["up"], x) if layer.gated else inside)

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "act", "shape"),
    [
        (FeedForward(7), "gelu", (2, 3, 5)),
        (FeedForward(4, "silu", gated=True), "silu", (1, 5)),
        (FeedForward(6, "silu", gated=True, use_bias=False, dropout=0.3), "silu", (2, 1, 3)),
        (FeedForward(3, {"name": "leaky_relu", "negative_slope": 0.2}, use_bias=False), "leaky_relu", (4,)),
    ],
)
def test_agrees_with_torch(torch, layer, act, shape):
    functional = torch.nn.functional
    acts = {"leaky_relu": lambda x: functional.leaky_relu(x, 0.2), "gelu": functional.gelu, "silu": functional.silu}
    against_torch(torch, layer, oracle_of(torch, acts[act], layer), normal(len(shape), *shape), seed=shape[-1])


@pytest.mark.oracle
def test_geglu_agrees_with_gemma(torch):
    from transformers import GemmaConfig
    from transformers.models.gemma.modeling_gemma import GemmaMLP

    module = GemmaMLP(GemmaConfig(hidden_size=5, intermediate_size=7, hidden_activation="gelu_pytorch_tanh"))

    def oracle(params, x):
        weights = {f"{name}_proj.weight": part["kernel"].T for name, part in params.items()}
        return torch.func.functional_call(module, weights, (x,))

    against_torch(torch, FeedForward(7, "gelu_tanh", gated=True, use_bias=False), oracle, normal(0, 2, 3, 5))


def test_gradients_agree_with_finite_differences():
    against_finite_differences(FeedForward(3, "gelu", gated=True), normal(0, 2, 4))


def test_dropout_acts_inside_in_training_only(key):
    layer, x = FeedForward(50, "relu", dropout=0.4), normal(0, 3, 4)
    params, state = random_variables(layer, x)
    params = {**params, "down": {"kernel": jnp.eye(50, 4), "bias": jnp.zeros(4)}}
    still, _ = layer.apply(params, state, x, key=key)
    y, _ = layer.apply(params, state, x, key=key, train=True)
    kept = y != 0
    assert (kept <= (still != 0)).all() and kept.sum() < (still != 0).sum()
    assert jnp.allclose(jnp.where(kept, y, 0), jnp.where(kept, still / 0.6, 0), rtol=1e-5)
    with pytest.raises(ConfigError, match="key"):
        layer.apply(params, state, x, train=True)


def test_what_does_not_fit_is_refused(key):
    with pytest.raises(ConfigError, match="hidden = 0"):
        FeedForward(0)
    with pytest.raises(ConfigError, match="activation"):
        FeedForward(3, "gelo")
    with pytest.raises(ShapeError, match="floating"):
        FeedForward(3).init(key, jax.ShapeDtypeStruct((2, 3), jnp.int32))
