import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import CrossAttention, RMSNorm


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_torchs_own_layer(torch, seed):
    module = torch.nn.MultiheadAttention(6, 3, kdim=4, vdim=4, batch_first=True)

    def oracle(params, x, memory, mask):
        names = {"query": "q_proj_weight", "key": "k_proj_weight", "value": "v_proj_weight", "out": "out_proj.weight"}
        weights = {theirs: params[ours]["kernel"].T for ours, theirs in names.items()}
        weights["in_proj_bias"] = torch.cat([params[name]["bias"] for name in ("query", "key", "value")])
        weights["out_proj.bias"] = params["out"]["bias"]
        return torch.func.functional_call(module, weights, (x, memory, memory), {"key_padding_mask": ~mask})[0]

    mask = np.array([[True, False, True, True, False], [True] * 5])
    against_torch(torch, CrossAttention(3), oracle, normal(seed, 2, 3, 6), normal(seed + 9, 2, 5, 4), mask, seed=seed)


@pytest.mark.oracle
def test_groups_norms_and_masks_agree_with_torch(torch):
    functional = torch.nn.functional

    def oracle(params, x, memory, mask):
        q = functional.rms_norm((x @ params["query"]["kernel"]).reshape(2, 3, 4, 5), (5,), params["query_norm"]["scale"], 1e-6)
        k = functional.rms_norm((memory @ params["key"]["kernel"]).reshape(2, 7, 2, 5), (5,), params["key_norm"]["scale"], 1e-6)
        v = (memory @ params["value"]["kernel"]).reshape(2, 7, 2, 5)
        y = functional.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), attn_mask=mask, enable_gqa=True)
        return y.transpose(1, 2).reshape(2, 3, 20) @ params["out"]["kernel"] + params["out"]["bias"]

    layer = CrossAttention(4, 2, head_dim=5, use_bias=False, out_bias=True, qk_norm=RMSNorm())
    against_torch(torch, layer, oracle, normal(0, 2, 3, 6), normal(1, 2, 7, 4), normal(2, 2, 1, 3, 7))


def test_gradients_agree_with_finite_differences():
    against_finite_differences(CrossAttention(2, 1), normal(0, 1, 2, 4), normal(1, 1, 3, 3))


def test_dropout_acts_in_training_only(key):
    layer, x, memory = CrossAttention(2, dropout=0.5), normal(0, 2, 4, 6), normal(1, 2, 5, 6)
    params, state = random_variables(layer, x, memory)
    still = layer.apply(params, state, x, memory, key=key)[0]
    assert jnp.array_equal(still, CrossAttention(2).apply(params, state, x, memory)[0])
    assert not jnp.allclose(layer.apply(params, state, x, memory, key=key, train=True)[0], still)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(2, 3, 6), (1, 5, 6)], "one batch"),
        ([(2, 3, 6), (5, 6)], "batch, seq, features"),
        ([(2, 3, 5), (2, 5, 6)], "CrossAttention got 5 features"),
        ([(2, 3, 6), (2, 5, 6), (2, 3)], "mask"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_at_init(key, shapes, words):
    with pytest.raises(ShapeError, match=words):
        CrossAttention(2).init(key, *map(jax.ShapeDtypeStruct, shapes, [jnp.float32, jnp.float32, jnp.bool_]))


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ConfigError, match=r"CrossAttention\.num_heads = 4 .*num_kv_heads = 3"):
        CrossAttention(4, 3)
