import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers import dot_product_attention
from zerfoo_jax.layers.attention import attention


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


def test_the_function_names_what_does_not_fit():
    x = jnp.ones((2, 3, 4, 8))
    with pytest.raises(ShapeError, match="multiple of kv_heads"):
        dot_product_attention(x, x[:, :, :3], x[:, :, :3])
    with pytest.raises(ShapeError, match="kv_heads"):
        dot_product_attention(x, x, x[:, :2])
    with pytest.raises(ShapeError, match=r"booleans, .* got int32"):
        dot_product_attention(x, x, x, jnp.ones((1, 1, 3, 3), jnp.int32))


@pytest.mark.oracle
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", ["boolean", "additive", "additive with -inf", "padding"])
def test_masks_agree_with_torch(torch, kind, seed):
    rng = np.random.default_rng(seed)
    tensors = [torch.tensor(normal(seed + i, 2, length, 2, 3), requires_grad=True) for i, length in enumerate((4, 6, 6))]
    allowed = rng.random((2, 6) if kind == "padding" else (2, 1, 4, 6)) < 0.6
    allowed[..., 1] = True
    mask = normal(seed, 1, 2, 4, 6) if kind.startswith("additive") else allowed
    if kind == "additive with -inf":
        mask = np.where(allowed, mask, -np.inf)
    theirs = torch.tensor(mask[:, None, None] if kind == "padding" else mask)
    heads_first = (t.transpose(1, 2) for t in tensors)
    expected = torch.nn.functional.scaled_dot_product_attention(*heads_first, attn_mask=theirs).transpose(1, 2)
    cotangent = normal(seed + 5, *expected.shape)
    expected.backward(torch.tensor(cotangent))

    @jax.jit
    def run(q, k, v):
        y, pull = jax.vjp(lambda q, k, v: dot_product_attention(q, k, v, jnp.asarray(mask)), q, k, v)
        return y, pull(cotangent)

    y, grads = run(*(t.detach().numpy() for t in tensors))
    assert_close(y, expected.detach().numpy(), 1e-5)
    for grad, t in zip(grads, tensors, strict=True):
        assert_close(grad, t.grad.numpy(), 1e-4)


def test_minus_infinity_everywhere_gives_zeros_and_a_finite_gradient():
    q, k, v = (normal(i, 1, 2, 1, 3) for i in range(3))
    mask = jnp.array([[-jnp.inf, -jnp.inf], [0.0, 1.0]])[None, None]
    y, pull = jax.vjp(lambda *a: dot_product_attention(*a, mask), q, k, v)
    assert not y[:, 0].any() and y[:, 1].all()
    assert all(jnp.isfinite(g).all() for g in pull(jnp.ones_like(y)))


@pytest.mark.parametrize(("offset", "causal", "window"), [(None, True, 2), (3, True, None), (0, True, 3), (1, False, 2)])
def test_windows_and_offsets_by_loops(offset, causal, window):
    q, k, v = normal(0, 2, 3, 4, 3), normal(1, 2, 6, 2, 3), normal(2, 2, 6, 2, 3)
    at = np.arange(3)[:, None] + (3 if offset is None else offset)
    keys = np.arange(6)[None]
    seen = (keys <= at) | (not causal)
    seen &= np.abs(keys - at) < (window or 99)
    y = dot_product_attention(q, k, v, causal=causal, sliding_window=window, offset=offset)
    assert_close(y, by_loops(q, k, v, np.broadcast_to(seen, (2, 4, 3, 6))), 1e-5)


@pytest.mark.oracle
def test_alibi_agrees_with_blooms_bias_in_torch(torch):
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    q, k, v = (normal(i, 2, 5, 3, 4) for i in range(3))
    bias = build_alibi_tensor(torch.ones(2, 5), 3, torch.float32).reshape(2, 3, 1, 5)
    bias = bias + torch.full((5, 5), -torch.inf).triu(1)
    heads_first = (torch.tensor(x).transpose(1, 2) for x in (q, k, v))
    expected = torch.nn.functional.scaled_dot_product_attention(*heads_first, attn_mask=bias).transpose(1, 2)
    assert_close(dot_product_attention(q, k, v, causal=True, alibi=True), expected.numpy(), 1e-5)
