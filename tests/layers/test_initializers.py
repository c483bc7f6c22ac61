import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.layers import INITIALIZERS, Dense
from zerfoo_jax.layers.initializers import initialize

SHAPES = [(40, 60), (3, 2, 12, 20), (5, 16, 8)]  # dense; convolutions as (*window, in, out)


def draw(spec, shape, dtype=jnp.float32, seeds=12):
    """Values over many seeds, (seeds, *shape)."""
    keys = jax.random.split(jax.random.key(0), seeds)
    return np.asarray(jax.jit(jax.vmap(lambda k: initialize(spec, k, shape, dtype)))(keys).astype(jnp.float32))


def fans(torch, shape):
    """torch's own count, for its layout (out, in, *window)."""
    return torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape[-1], shape[-2], *shape[:-2]))


@pytest.mark.oracle
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_variances_follow_the_papers_with_torchs_fans(torch, shape, distribution):
    fan_in, fan_out = fans(torch, shape)
    expected = {"glorot": 2 / (fan_in + fan_out), "xavier": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}
    for name, variance in expected.items():
        values = draw(f"{name}_{distribution}", shape)
        # Of n values the relative error of the variance is at most sqrt(2 / n); the mean's is sqrt(1 / n) deviations.
        assert abs(values.var() / variance - 1) < 5 * (2 / values.size) ** 0.5, name
        assert abs(values.mean()) < 5 * (variance / values.size) ** 0.5, name
        # Uniform over ± sqrt(3 v); normal cut at two deviations of a normal that has the variance v after the cut.
        bound = (3 * variance) ** 0.5 if distribution == "uniform" else 2 * variance**0.5 / 0.87962566
        largest = np.abs(values).max()
        assert 0.97 * bound < largest <= bound * (1 + 1e-6), name


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("mode", "distribution"), [("fan_in", "normal"), ("fan_out", "truncated_normal"), ("fan_avg", "uniform")]
)
def test_variance_scaling_has_the_scale_over_the_fan_of_its_mode(torch, mode, distribution):
    fan_in, fan_out = fans(torch, (40, 60))
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    values = draw({"name": "variance_scaling", "scale": 0.3, "mode": mode, "distribution": distribution}, (40, 60), seeds=4)
    assert abs(values.var() / (0.3 / fan) - 1) < 5 * (2 / values.size) ** 0.5


def test_plain_distributions_keep_to_their_options():
    shape = (50, 40)
    values = draw({"name": "normal", "stddev": 0.3}, shape)
    assert abs(values.std() / 0.3 - 1) < 5 / (2 * values.size) ** 0.5 and np.abs(values).max() > 3 * 0.3
    values = draw({"name": "truncated_normal", "stddev": 0.3}, shape)
    assert abs(values.std() / (0.3 * 0.87962566) - 1) < 0.03 and 0.59 < np.abs(values).max() <= 0.6 + 1e-6
    values = draw({"name": "uniform", "low": -0.2, "high": 0.7}, shape)
    assert -0.2 <= values.min() < -0.19 and 0.69 < values.max() <= 0.7 and abs(values.mean() - 0.25) < 0.01
    assert (draw({"name": "constant", "value": 1.5}, shape) == 1.5).all()
    assert (draw("zeros", shape) == 0).all() and (draw("ones", shape) == 1).all()


@pytest.mark.parametrize("shape", [(6, 6), (8, 3), (3, 8), (3, 2, 4, 5)])
def test_orthogonal_rows_or_columns(shape):
    for value in draw({"name": "orthogonal", "gain": 1.5}, shape, seeds=3):
        matrix = value.reshape(-1, shape[-1])
        matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
        np.testing.assert_allclose(matrix @ matrix.T, 1.5**2 * np.eye(len(matrix)), atol=2e-5)


def test_orthogonal_matrices_have_no_preferred_sign():
    """Without the correction of Mezzadri (math-ph/0609050) the diagonal would lean to one side."""
    diagonals = draw("orthogonal", (4, 4), seeds=400)[:, range(4), range(4)]
    assert abs(diagonals.mean()) < 5 * 0.5 / diagonals.size**0.5


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"constant"}))
def test_half_precisions_are_the_float32_draw_rounded(name):
    for dtype in (jnp.bfloat16, jnp.float16):
        half = initialize(name, jax.random.key(1), (4, 6), dtype)
        assert half.dtype == dtype
        np.testing.assert_array_equal(half, initialize(name, jax.random.key(1), (4, 6), jnp.float32).astype(dtype))


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"constant", "zeros", "ones"}))
def test_a_key_decides(name):
    one, same, other = (initialize(name, jax.random.key(i), (4, 6), jnp.float32) for i in (1, 1, 2))
    assert jnp.array_equal(one, same) and not jnp.array_equal(one, other)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("he_nomal", "he_normal"),
        ({"name": "normal", "stddev": 0.0}, "stddev = 0"),
        ({"name": "orthogonal", "scale": 1.0}, "no option 'scale'"),
        ("constant", "value"),
    ],
)
def test_bad_names_and_options_are_refused_where_a_layer_is_made(spec, words):
    with pytest.raises(ConfigError, match=words):
        Dense(3, kernel_init=spec)


def test_a_kernel_without_inputs_is_refused_in_words():
    with pytest.raises(ShapeError, match=r"a parameter of shape \(0, 3\) has nothing to draw its variance from"):
        check(Dense(3), jax.ShapeDtypeStruct((2, 0), jnp.float32))
