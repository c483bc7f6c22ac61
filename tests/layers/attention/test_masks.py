import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers.attention.masks import (
    alibi_bias,
    alibi_slopes,
    expect_mask,
    padding_mask,
    positional_mask,
    relative_positions,
)


@pytest.mark.parametrize(("q_len", "kv_len", "offset"), [(4, 4, 0), (2, 5, 3), (5, 2, -3), (1, 6, 2)])
@pytest.mark.parametrize(("causal", "window"), [(True, None), (False, 2), (True, 3)])
def test_who_sees_whom_by_loops(q_len, kv_len, offset, causal, window):
    mask = positional_mask(relative_positions(q_len, kv_len, offset), causal=causal, sliding_window=window)
    assert mask.shape == (1, 1, q_len, kv_len)
    for q, k in np.ndindex(q_len, kv_len):
        at = q + offset
        seen = (k <= at or not causal) and (window is None or -window < k - at < window)
        assert bool(mask[0, 0, q, k]) == seen, (q, k)


def test_without_rules_there_is_no_mask():
    assert positional_mask(relative_positions(2, 3, 1)) is None


def test_padding_follows_the_lengths():
    assert padding_mask(jnp.array([2, 0, 3]), 3).astype(int).tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


@pytest.mark.oracle
@pytest.mark.parametrize("num_heads", [1, 2, 3, 8, 12, 20])
def test_alibi_agrees_with_bloom(torch, num_heads):
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    theirs = build_alibi_tensor(torch.ones(1, 6), num_heads, torch.float32).numpy()[:, 0]
    np.testing.assert_allclose(alibi_slopes(num_heads), theirs[:, 1], rtol=1e-6)
    # Bloom's bias counts from the first key, ours from the query: a constant for each query, which softmax ignores.
    ours = np.asarray(alibi_bias(num_heads, relative_positions(6, 6, 0)))[0]
    for q in range(6):
        np.testing.assert_allclose(
            ours[:, q, : q + 1] - ours[:, q, :1], theirs[:, : q + 1] - theirs[:, :1], rtol=1e-5, atol=1e-6
        )


def test_alibi_is_alike_on_both_sides():
    bias = alibi_bias(2, relative_positions(4, 4, 0))
    assert jnp.array_equal(bias, bias.transpose(0, 1, 3, 2))


@pytest.mark.parametrize("shape", [(2, 5), (1, 5), (2, 1, 1, 5), (1, 4, 3, 5), (1, 1, 1, 1)])
def test_masks_that_fit_are_taken(shape):
    for dtype in (jnp.bool_, jnp.float32, jnp.bfloat16):
        expect_mask(jnp.ones(shape, dtype), (2, 4, 3, 5))


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [
        ((2, 4), "bool", "got .2, 4"),
        ((2, 3, 5), "bool", r"mask\[:, None\]"),
        ((2, 4, 5, 3), "bool", "got"),
        ((2, 5), "int32", "int32"),
    ],
)
def test_others_are_refused(shape, dtype, words):
    with pytest.raises(ShapeError, match=words):
        expect_mask(jnp.ones(shape, dtype), (2, 4, 3, 5))
