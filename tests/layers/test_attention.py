import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import MultiHeadAttention, RotaryPositions, attention, dot_product_attention


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
    ],
)
def test_agrees_with_torch(torch, layer, shape):
    against_torch(torch, layer, layer_oracle(torch, layer), normal(shape[1], *shape), seed=shape[2])


@pytest.mark.oracle
@pytest.mark.parametrize("mask_shape", [(2, 1, 1, 5), (1, 4, 5, 5), (2, 4, 5, 5)])
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


def by_loops(q, k, v, allowed):
    """Attention one query at a time in float64; a query without keys gets zeros."""
    out = np.zeros(q.shape)
    for b, i, h in np.ndindex(q.shape[:3]):
        keys = np.flatnonzero(allowed[b, h, i])
        if keys.size:
            g = h // (q.shape[2] // k.shape[2])
            scores = k[b, keys, g].astype(np.float64) @ q[b, i, h] / np.sqrt(q.shape[3])
            weights = np.exp(scores - scores.max())
            out[b, i, h] = weights / weights.sum() @ v[b, keys, g]
    return out


@pytest.mark.parametrize(("q_len", "kv_len", "causal"), [(3, 5, False), (3, 5, True), (5, 3, True), (1, 4, True)])
def test_unequal_lengths_align_the_last_query_with_the_last_key(q_len, kv_len, causal):
    q, k, v = normal(0, 2, q_len, 4, 3), normal(1, 2, kv_len, 2, 3), normal(2, 2, kv_len, 2, 3)
    mask = np.random.default_rng(3).random((2, 1, q_len, kv_len)) < 0.7
    seen = np.arange(kv_len)[None] <= np.arange(q_len)[:, None] + kv_len - q_len if causal else np.ones((q_len, kv_len), bool)
    expected = by_loops(q, k, v, np.broadcast_to(mask & seen[None, None], (2, 4, q_len, kv_len)))
    y = dot_product_attention(q, k, v, jnp.asarray(mask), causal=causal)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float16])
def test_a_query_that_may_attend_to_nothing_gets_zeros_and_a_finite_gradient(dtype):
    q, k, v = (jnp.asarray(100 * normal(i, 1, 3, 2, 4), dtype) for i in range(3))
    mask = jnp.array([True, False, True])[None, None, :, None] & jnp.ones((1, 1, 1, 3), bool)
    with jax.debug_nans(True):  # not one in between either
        y, pull = jax.vjp(lambda *a: dot_product_attention(*a, mask), q, k, v)
        grads = pull(jnp.ones_like(y))
    assert not y[:, 1].any()
    assert y[:, 0].all()
    assert all(jnp.isfinite(g).all() and g.dtype == dtype for g in grads)
    assert not grads[0][:, 1].any()


@pytest.mark.parametrize(("dtype", "bound"), [(jnp.bfloat16, 2**-8), (jnp.float16, 2**-11)])
def test_half_precision_scores_and_softmax_are_computed_in_float32(dtype, bound):
    q, k, v = (jnp.asarray(scale * normal(i, 1, 40, 1, 16), dtype) for i, scale in enumerate((4, 4, 0)))
    v = v.at[0, jnp.arange(16), 0, jnp.arange(16)].set(1)  # the output is the first 16 weights
    exact = by_loops(*(np.asarray(x, np.float64) for x in (q, k, v)), np.ones((1, 1, 40, 40), bool))
    y = dot_product_attention(q, k, v)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=bound, atol=1e-7 if dtype == jnp.bfloat16 else 1e-6)


def test_dropout_acts_on_the_weights_in_training_only(key):
    layer, x = MultiHeadAttention(2, dropout=0.5), normal(0, 2, 4, 6)
    params, state = random_variables(layer, x)
    still = layer.apply(params, state, x, key=key)[0]
    assert jnp.array_equal(still, MultiHeadAttention(2).apply(params, state, x)[0])
    assert not jnp.allclose(layer.apply(params, state, x, key=key, train=True)[0], still)
    with pytest.raises(ConfigError, match="key"):
        layer.apply(params, state, x, train=True)


def test_dropped_weights_keep_the_mean(key):
    q, v = jnp.zeros((8, 64, 2, 4)), jnp.ones((8, 64, 2, 4))
    y = dot_product_attention(q, q, v, dropout=0.25, dropout_key=key)
    np.testing.assert_allclose(y.mean(), 1, atol=0.01)
    assert y.std() > 0.01


@pytest.mark.parametrize(
    ("changed", "fused"),
    [
        ({}, True),
        ({"dtype": jnp.float16, "head_dim": 128}, True),
        ({"kv_len": 2048, "causal": False}, True),
        ({"backend": "cpu"}, False),
        ({"device": "AMD Instinct MI300X"}, False),
        ({"dtype": jnp.float32}, False),
        ({"head_dim": 60}, False),
        ({"head_dim": 256}, False),
        ({"q_len": 1025, "kv_len": 1025}, False),
        ({"kv_len": 2048}, False),
        ({"q_len": 128, "kv_len": 128}, False),
        ({"kv_len": 0, "causal": False}, False),
    ],
)
def test_the_fused_kernel_is_chosen_for_what_it_supports(monkeypatch, changed, fused):
    usual = {"backend": "gpu", "device": "NVIDIA H200", "dtype": jnp.bfloat16, "head_dim": 64, "causal": True}
    case = {**usual, "q_len": 1024, "kv_len": 1024, **changed}

    class Device:
        device_kind = case["device"]

    monkeypatch.setattr(attention.jax, "default_backend", lambda: case["backend"])
    monkeypatch.setattr(attention.jax, "devices", lambda: [Device()])
    q, k = (jax.ShapeDtypeStruct((4, case[n], 4, case["head_dim"]), case["dtype"]) for n in ("q_len", "kv_len"))
    assert attention._runs_fused(q, k, case["causal"]) is fused


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


def test_the_function_names_what_does_not_fit():
    x = jnp.ones((2, 3, 4, 8))
    with pytest.raises(ShapeError, match="multiple of kv_heads"):
        dot_product_attention(x, x[:, :, :3], x[:, :, :3])
    with pytest.raises(ShapeError, match="kv_heads"):
        dot_product_attention(x, x, x[:, :2])
    with pytest.raises(ShapeError, match=r"booleans, .* got int32"):
        dot_product_attention(x, x, x, jnp.ones((1, 1, 3, 3), jnp.int32))
