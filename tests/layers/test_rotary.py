import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers import rotary_embedding


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
