import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import RotaryPositions, rotary_embedding


def by_complex_numbers(x, positions, base):
    """The paper's own form: pairs as complex numbers, multiplied by exp(i · position · frequency)."""
    half = x.shape[-1] // 2
    z = x[..., :half].astype(np.complex128) + 1j * x[..., half:]
    turn = np.exp(1j * np.outer(positions, float(base) ** (-np.arange(half) / half)))
    z = z * turn[None, :, None, :]
    return np.concatenate([z.real, z.imag], -1)


@pytest.mark.parametrize(("base", "head_dim"), [(10000.0, 8), (500.0, 2), (1e6, 6)])
def test_agrees_with_complex_multiplication(base, head_dim):
    x = normal(0, 2, 5, 3, head_dim)
    expected = by_complex_numbers(x, np.arange(5), base)
    np.testing.assert_allclose(rotary_embedding(x, base=base), expected, rtol=1e-5, atol=1e-5)
    positions = jnp.array([7, 3, 100, 0, 1])
    expected = by_complex_numbers(x, np.asarray(positions), base)
    np.testing.assert_allclose(rotary_embedding(x, positions, base=base), expected, rtol=1e-4, atol=1e-4)


def test_scores_depend_on_relative_position_only():
    q, k = normal(0, 1, 1, 1, 8), normal(1, 1, 1, 1, 8)

    def score(at_q, at_k):
        return jnp.sum(rotary_embedding(q, jnp.array([at_q])) * rotary_embedding(k, jnp.array([at_k])))

    np.testing.assert_allclose(score(9, 4), score(25, 20), rtol=1e-4)
    assert abs(score(9, 4) - score(9, 5)) > 1e-3


def test_half_precision_positions_are_not_rounded():
    x = normal(0, 1, 600, 1, 4)
    expected = by_complex_numbers(x, np.arange(600), 10000.0)
    y = rotary_embedding(jnp.asarray(x, jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(y.astype(jnp.float32), expected, rtol=0.03, atol=0.03)


def test_an_odd_head_dim_is_refused():
    with pytest.raises(ShapeError, match="even head_dim, got 3"):
        rotary_embedding(jnp.ones((1, 2, 1, 3)))


def pairs_of(x, positions, base):
    """The paper's own pairs, 2i and 2i + 1, as complex numbers."""
    z = x[..., ::2].astype(np.complex128) + 1j * x[..., 1::2]
    half = x.shape[-1] // 2
    z = z * np.exp(1j * np.outer(positions, float(base) ** (-np.arange(half) / half)))[None, :, None, :]
    return np.stack([z.real, z.imag], -1).reshape(x.shape)


@pytest.mark.parametrize(("layout", "oracle"), [("half", by_complex_numbers), ("interleaved", pairs_of)])
def test_only_the_first_dims_are_turned(layout, oracle):
    x = normal(0, 2, 5, 3, 10)
    expected = np.concatenate([oracle(x[..., :6], np.arange(5), 30.0), x[..., 6:]], -1)
    y = RotaryPositions(30.0, layout, 6).forward({}, x)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.oracle
def test_the_interleaved_layout_agrees_with_gptj(torch):
    from transformers.models.gptj import modeling_gptj as gptj

    x = normal(0, 1, 7, 2, 8)
    sin, cos = gptj.create_sinusoidal_positions(7, 8).split(4, -1)
    expected = gptj.apply_rotary_pos_emb(torch.tensor(x), sin[None], cos[None])
    np.testing.assert_allclose(rotary_embedding(x, layout="interleaved"), expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.oracle
def test_scaled_positions_agree_with_llama(torch):
    from transformers import LlamaConfig
    from transformers.models.llama import modeling_llama as llama

    options = {"factor": 6.0, "original_max_position_embeddings": 16}
    config = LlamaConfig(
        hidden_size=16, num_attention_heads=2, rope_parameters={"rope_theta": 100.0, "rope_type": "yarn", **options}
    )
    x = torch.tensor(normal(0, 2, 7, 2, 8))
    cos, sin = llama.LlamaRotaryEmbedding(config)(x, torch.arange(7)[None])
    expected = llama.apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=2)[0]
    y = rotary_embedding(x.numpy(), base=100.0, scaling={"name": "yarn", **options})
    np.testing.assert_allclose(y, expected.numpy(), rtol=1e-5, atol=1e-5)


def test_dims_that_do_not_fit_are_refused(key):
    with pytest.raises(ConfigError, match="dims = 3 is odd"):
        RotaryPositions(dims=3)
    with pytest.raises(ShapeError, match="dims = 6"):
        RotaryPositions(dims=6).init(key, jnp.ones((1, 2, 1, 4)))
