import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, outputs_and_gradients
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import KMeans


def oracle_of(torch, layer):
    def distances(x, c):
        x, c = x[..., None, :], c.expand(*x.shape[:-1], *c.shape)
        if layer.distance == "cosine":
            return 1 - torch.nn.functional.cosine_similarity(x, c, dim=-1)
        difference = (x - c).abs()
        return (difference**2 if layer.distance == "euclidean" else difference).sum(-1)

    def oracle(params, x):
        p = torch.softmax(-distances(x, params["centers"]) / (2 * layer.temperature**2), -1)
        return p if layer.output == "probabilities" else p @ params["centers"]

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize("output", ["probabilities", "features"])
@pytest.mark.parametrize(
    ("distance", "temperature", "shape"),
    [("euclidean", 0.7, (5, 3)), ("euclidean", 2.0, (2, 3, 4)), ("manhattan", 0.8, (1, 4)), ("cosine", 0.3, (2, 2, 3))],
)
def test_agrees_with_torch(torch, output, distance, temperature, shape):
    layer = KMeans(4, temperature, output, distance)
    against_torch(torch, layer, oracle_of(torch, layer), normal(0, *shape), seed=shape[-1])


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_gradients_agree_with_finite_differences(distance):
    against_finite_differences(KMeans(3, 0.8, "features", distance), normal(0, 2, 3))


def test_far_from_the_origin_nothing_is_lost():
    x, centers = 4096 + normal(0, 5, 16), 4096 + normal(1, 3, 16)
    squares = ((x[:, None].astype(np.float64) - centers[None]) ** 2).sum(-1)
    logits = -squares / (2 * 2.0**2)
    expected = np.exp(logits - logits.max(-1, keepdims=True))
    y = jax.jit(KMeans(3, 2.0).forward)({"centers": centers}, x)
    assert_close(y, expected / expected.sum(-1, keepdims=True), 1e-3)


def test_descent_finds_the_means_of_separate_groups():
    means = np.array([[0.0, 4.0], [5.0, 0.0], [-4.0, -3.0]], np.float32)
    x = jnp.asarray((means[:, None] + 0.3 * normal(0, 3, 40, 2)).reshape(-1, 2))
    layer = KMeans(3, 0.5, "features")

    @jax.jit
    def fit(centers):
        def loss(centers):
            return jnp.mean(jnp.sum(jnp.square(x - layer.forward({"centers": centers}, x)), -1))

        return jax.lax.fori_loop(0, 200, lambda _, c: c - 0.5 * jax.grad(loss)(c), centers)

    found = fit(jnp.asarray(means + normal(1, 3, 2)))
    assert_close(found, np.asarray(x).reshape(3, 40, 2).mean(1), 0.02)


def test_a_zero_has_no_direction_and_a_finite_gradient():
    layer, params = KMeans(2, distance="cosine"), {"centers": normal(0, 2, 3)}
    y, (_, (grad,)) = outputs_and_gradients(layer, (params, {}), (np.zeros((1, 3), np.float32),), jnp.array([[1.0, 2.0]]))
    assert y.tolist() == [[0.5, 0.5]] and not grad.any()


def test_bad_options_and_inputs_are_refused(key):
    with pytest.raises(ConfigError, match="temperature"):
        KMeans(2, 0.0)
    with pytest.raises(ConfigError, match="distance"):
        KMeans(2, distance="hamming")
    with pytest.raises(ShapeError, match="floating"):
        KMeans(2).init(key, Spec((2, 3), jnp.int32))
