import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import FractionalMaxPool2D

CASES = [
    ({"window": 2, "output_size": (5, 4)}, (3, 8, 7, 2)),
    ({"window": (3, 2), "output_ratio": 0.7}, (2, 9, 6, 3)),
    ({"window": 2, "output_size": 1}, (1, 4, 3, 1)),
]


def oracle(torch, options, samples):
    """Torch with the same number per example for all channels; it takes that of the width first."""

    def run(params, x):
        given = torch.tensor(samples[:, None, ::-1].repeat(x.shape[-1], 1).copy())
        ratio = options.get("output_ratio")
        size = {"output_ratio": (ratio, ratio)} if ratio else {"output_size": options["output_size"]}
        y = torch.nn.functional.fractional_max_pool2d(x.permute(0, 3, 1, 2), options["window"], **size, _random_samples=given)
        return y.permute(0, 2, 3, 1)

    return run


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("options", "shape"), CASES)
def test_agrees_with_torch_on_the_same_regions(torch, options, shape, seed):
    key = jax.random.key(seed)
    samples = np.asarray(jax.random.uniform(key, (shape[0], 2)))
    x = np.round(normal(seed, *shape) * 2)  # with ties
    layer = FractionalMaxPool2D(**options)
    against_torch(torch, layer, oracle(torch, options, samples), x, key=key, train=True)


@pytest.mark.oracle
def test_takes_middle_regions_outside_training(torch):
    options, shape = CASES[0]
    middle = np.full((shape[0], 2), 0.5, np.float32)
    against_torch(torch, FractionalMaxPool2D(**options), oracle(torch, options, middle), normal(0, *shape))


def test_regions_differ_between_examples_and_keys():
    layer = FractionalMaxPool2D(1, 6)
    x = jnp.broadcast_to(jnp.arange(10.0).reshape(1, 10, 1, 1), (8, 10, 10, 1))
    a, b = (layer.apply({}, {}, x, key=jax.random.key(seed), train=True)[0] for seed in (0, 1))
    assert not jnp.array_equal(a, b) and not jnp.array_equal(a, jnp.flip(a, 0))


def test_gradients_agree_with_finite_differences():
    against_finite_differences(FractionalMaxPool2D(2, 3), normal(3, 1, 5, 4, 2))


def test_what_does_not_fit_is_refused(key):
    for options in ({}, {"output_size": 3, "output_ratio": 0.5}):
        with pytest.raises(ConfigError, match=r"output_size = .* output_ratio"):
            FractionalMaxPool2D(2, **options)
    with pytest.raises(ConfigError, match=r"output_ratio = 1\.5"):
        FractionalMaxPool2D(2, output_ratio=1.5)
    with pytest.raises(ShapeError, match="cannot make 4 windows of 2 out of 4"):
        FractionalMaxPool2D(2, 4).init(key, jax.ShapeDtypeStruct((1, 8, 4, 1), jnp.float32))
    with pytest.raises(ConfigError, match="key"):
        FractionalMaxPool2D(2, 3).apply({}, {}, jnp.ones((1, 8, 8, 1)), train=True)
