import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import MultiHeadAttention, RMSNorm, RotaryPositions


def layer_oracle(torch, layer):
    """The layer from torch's scaled_dot_product_attention, with heads repeated and rotary angles by complex numbers."""

    def project(params, x):
        return x @ params["kernel"] + params.get("bias", 0.0)

    def rotate(x):
        half = x.shape[-1] // 2
        angles = torch.outer(torch.arange(x.shape[1]), layer.rotary.base ** (-torch.arange(half) / half))
        z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)[None, :, None, :]
        return torch.cat([z.real, z.imag], -1)

    def oracle(params, x, mask=None):
        batch, seq, _ = x.shape
        kv_heads = layer.num_kv_heads or layer.num_heads
        q = project(params["query"], x).reshape(batch, seq, layer.num_heads, -1)
        k, v = (project(params[name], x).reshape(batch, seq, kv_heads, -1) for name in ("key", "value"))
        if layer.qk_norm:
            q, k = (
                torch.nn.functional.rms_norm(t, t.shape[-1:], params[name]["scale"], layer.qk_norm.epsilon)
                for t, name in ((q, "query_norm"), (k, "key_norm"))
            )
        q, k = (rotate(q), rotate(k)) if layer.rotary else (q, k)
        k, v = (t.repeat_interleave(layer.num_heads // kv_heads, 2) for t in (k, v))
        y = torch.nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, is_causal=layer.causal
        )
        return project(params["out"], y.transpose(1, 2).reshape(batch, seq, -1))

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (MultiHeadAttention(2), (2, 5, 6)),
        (MultiHeadAttention(4, num_kv_heads=2, causal=True, use_bias=False), (1, 7, 8)),
        (MultiHeadAttention(6, num_kv_heads=2, head_dim=4, rotary=RotaryPositions(), causal=True), (3, 4, 5)),
        (MultiHeadAttention(3, num_kv_heads=1, head_dim=2, rotary=RotaryPositions(50.0)), (2, 3, 4)),
        (MultiHeadAttention(1, causal=True), (1, 1, 3)),
        (MultiHeadAttention(4, 2, use_bias=True, out_bias=False, qk_norm=RMSNorm(1e-3), rotary=RotaryPositions()), (2, 3, 8)),
        (MultiHeadAttention(2, use_bias=False, out_bias=True, causal=True, sliding_window=9), (2, 5, 6)),
    ],
)
def test_agrees_with_torch(torch, layer, shape):
    against_torch(torch, layer, layer_oracle(torch, layer), normal(shape[1], *shape), seed=shape[2])


@pytest.mark.oracle
@pytest.mark.parametrize("mask_shape", [(2, 1, 1, 5), (2, 4, 5, 5)])
def test_masks_agree_with_torch(torch, mask_shape):
    mask = np.random.default_rng(0).random(mask_shape) < 0.5
    mask[..., 0] = True
    layer = MultiHeadAttention(4, num_kv_heads=2)
    against_torch(torch, layer, layer_oracle(torch, layer), normal(1, 2, 5, 8), mask)


@pytest.mark.oracle
def test_agrees_with_torchs_own_layer(torch):
    def oracle(params, x):
        parts = [params[name] for name in ("query", "key", "value")]
        weights = {
            "in_proj_weight": torch.cat([p["kernel"].T for p in parts]),
            "in_proj_bias": torch.cat([p["bias"] for p in parts]),
            "out_proj.weight": params["out"]["kernel"].T,
            "out_proj.bias": params["out"]["bias"],
        }
        module = torch.nn.MultiheadAttention(6, 3, batch_first=True)
        return torch.func.functional_call(module, weights, (x, x, x))[0]

    against_torch(torch, MultiHeadAttention(3), oracle, normal(0, 2, 5, 6))


def test_gradients_agree_with_finite_differences():
    against_finite_differences(MultiHeadAttention(2, num_kv_heads=1, causal=True, rotary=RotaryPositions()), normal(0, 1, 3, 4))


def test_dropout_acts_on_the_weights_in_training_only(key):
    layer, x = MultiHeadAttention(2, dropout=0.5), normal(0, 2, 4, 6)
    params, state = random_variables(layer, x)
    still = layer.apply(params, state, x, key=key)[0]
    assert jnp.array_equal(still, MultiHeadAttention(2).apply(params, state, x)[0])
    assert not jnp.allclose(layer.apply(params, state, x, key=key, train=True)[0], still)
    with pytest.raises(ConfigError, match="key"):
        layer.apply(params, state, x, train=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_heads": 4, "num_kv_heads": 3}, "num_kv_heads = 3"),
        ({"num_heads": 0}, "num_heads = 0"),
        ({"num_heads": 2, "cache_length": 4}, "cache_length = 4 needs causal"),
        ({"num_heads": 2, "dropout": 1.0}, "dropout = 1.0"),
    ],
)
def test_bad_options_are_refused_at_construction(options, words):
    with pytest.raises(ConfigError, match=words):
        MultiHeadAttention(**options)


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (MultiHeadAttention(4), [(2, 3, 6)], "6 features"),
        (MultiHeadAttention(2, rotary=RotaryPositions()), [(2, 3, 6)], "head_dim, got 3"),
        (MultiHeadAttention(2), [(3, 6)], "batch, seq, features"),
        (MultiHeadAttention(2), [(2, 3, 6), (2, 4)], "mask"),
        (MultiHeadAttention(2), [(2, 3, 6), (2, 3, 3, 3)], "mask"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_at_init(key, layer, shapes, words):
    dtypes = [jnp.float32, jnp.bool_]
    with pytest.raises(ShapeError, match=words):
        layer.init(key, *map(jax.ShapeDtypeStruct, shapes, dtypes))


def test_options_reach_the_arithmetic():
    # Windows and ALiBi as masks given by hand; both are compared with oracles in test_attention.py and test_masks.py.
    x = normal(0, 2, 5, 8)
    params, _ = random_variables(MultiHeadAttention(2), x)
    distance = np.arange(5)[None] - np.arange(5)[:, None]
    window = jnp.asarray((distance <= 0) & (distance > -2))[None, None]
    slopes = jnp.array([2.0**-4, 2.0**-8])[None, :, None, None]
    bias = -slopes * jnp.abs(distance)[None, None].astype(jnp.float32)
    for layer, mask in [
        (MultiHeadAttention(2, causal=True, sliding_window=2), window),
        (MultiHeadAttention(2, alibi=True), bias),
    ]:
        expected = MultiHeadAttention(2).apply(params, {}, x, mask)[0]
        assert_close(layer.apply(params, {}, x)[0], expected, 1e-5)


def test_norms_of_queries_and_keys_are_as_wide_as_a_head(key):
    layer = MultiHeadAttention(2, qk_norm=RMSNorm(scale_offset=1.0))
    params, _ = layer.init(key, jax.ShapeDtypeStruct((1, 3, 8), jnp.float32))
    assert params["query_norm"]["scale"].shape == params["key_norm"]["scale"].shape == (4,)
    assert not params["query_norm"]["scale"].any()
