import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import GroupNorm, InstanceNorm


def given(torch, p, channels):
    """Both parameters, since torch's own gradients are wrong or missing where only one is given."""
    return {"weight": p.get("scale", torch.ones(channels)), "bias": p.get("bias", torch.zeros(channels))}


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape", "seed"),
    [
        (GroupNorm(3), (2, 4, 5, 6), 0),
        (GroupNorm(1, epsilon=0.1, use_bias=False), (3, 7, 4), 1),
        (GroupNorm(2, use_scale=False), (1, 6), 2),
        (GroupNorm(4, use_scale=False, use_bias=False), (2, 2, 3, 2, 4), 3),
    ],
)
def test_group_norm_agrees_with_torch(torch, layer, shape, seed):
    def oracle(p, x):
        options = given(torch, p, shape[-1])
        y = torch.nn.functional.group_norm(x.movedim(-1, 1), layer.groups, **options, eps=layer.epsilon)
        return y.movedim(1, -1)

    against_torch(torch, layer, oracle, 3 + 2 * normal(seed, *shape), seed=seed)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "shape", "seed"),
    [
        (InstanceNorm(), (2, 4, 5, 3), 0),
        (InstanceNorm(epsilon=0.1, use_bias=False), (3, 7, 4), 1),
        (InstanceNorm(use_scale=False, use_bias=False), (2, 2, 3, 2, 4), 2),
    ],
)
def test_instance_norm_agrees_with_torch(torch, layer, shape, seed):
    def oracle(p, x):
        options = given(torch, p, shape[-1])
        y = torch.nn.functional.instance_norm(x.movedim(-1, 1).contiguous(), **options, eps=layer.epsilon)
        return y.movedim(1, -1)

    against_torch(torch, layer, oracle, 3 + 2 * normal(seed, *shape), seed=seed)


@pytest.mark.parametrize("layer", [GroupNorm(2), InstanceNorm()])
@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_agree_with_finite_differences(layer, batch):
    against_finite_differences(layer, normal(0, batch, 3, 4))


@pytest.mark.parametrize("layer", [GroupNorm(2), InstanceNorm()])
def test_large_means_and_half_precision_keep_the_variance(key, layer):
    x = 1e4 + normal(0, 2, 256, 4)
    params, _ = layer.init(key, x)
    y = np.asarray(layer.forward(params, x)).reshape(2, 256, 2, 2)
    np.testing.assert_allclose(y.var((1, 3)) if isinstance(layer, GroupNorm) else y.var(1), 1, rtol=1e-3)
    half = jnp.asarray(1000 * normal(0, 2, 64, 4), jnp.float16)  # squares pass float16's 65504
    y = layer.forward(layer.init(key, half)[0], half)
    assert y.dtype == jnp.float16
    np.testing.assert_allclose(y.astype(jnp.float32), layer.forward(params, half.astype(jnp.float32)), rtol=2e-3, atol=2e-3)


def test_an_empty_batch_gives_an_empty_output(key):
    x = jnp.ones((0, 3, 4))
    params, _ = GroupNorm(2).init(key, x)
    assert GroupNorm(2).forward(params, x).shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("layer", "shape", "dtype", "words"),
    [
        (GroupNorm(4), (2, 3, 6), jnp.float32, "6 channels, not a multiple of groups = 4"),
        (GroupNorm(6), (2, 1, 6), jnp.float32, "more than one value"),
        (InstanceNorm(), (2, 1, 1, 6), jnp.float32, "more than one value"),
        (InstanceNorm(), (2, 6), jnp.float32, "at least 3 axes"),
        (GroupNorm(2), (2, 6), jnp.int32, "int32"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(key, layer, shape, dtype, words):
    with pytest.raises(ShapeError, match=words):
        layer.init(key, jax.ShapeDtypeStruct(shape, dtype))


def test_bad_options_are_refused():
    with pytest.raises(ConfigError, match="groups = 0"):
        GroupNorm(0)
    with pytest.raises(ConfigError, match="epsilon = 0"):
        InstanceNorm(epsilon=0.0)
