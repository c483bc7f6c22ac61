"""Every layer gives the same numbers on every engine: outputs, new state and gradients, with randomness in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.common.test_layers import EXAMPLES, GIVE_NO_FLOATS, initialised
from tests.support.layers import normal
from zerfoo_jax.engines import ENGINES


def assert_equal(actual, expected, rtol):
    """Within `rtol` of the largest number of a tree: a gradient may cancel to nothing where its neighbours do not."""
    largest = max((float(np.abs(x).max(initial=0)) for x in jax.tree.leaves(expected)), default=0.0)
    for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        np.testing.assert_allclose(a, e, rtol=0, atol=rtol * largest)


def evaluated(layer, state, xs):
    def run(params, varied, key):
        del key
        return layer.apply(params, state, *_merged(xs, varied))

    return run


def trained(layer, state, xs):
    """Loss, output, new state, and gradients for parameters and floating inputs."""

    def run(params, varied, key):
        def loss(params, varied):
            y, new_state = layer.apply(params, state, *_merged(xs, varied), key=key, train=True)
            return sum(map(_loss, jax.tree.leaves(y))), (y, new_state)

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(params, varied)

    return run


def _loss(y):
    """A random cotangent: one that is nearly the same for all of a softmax's outputs would cancel to its rounding."""
    return jnp.mean(y * normal(5, *y.shape).astype(y.dtype))


def _merged(xs, varied):
    varied = iter(varied)
    return [next(varied) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in xs]


QUICK = {"BatchNorm", "Embedding", "FirstToken", "RMSNorm", "Stack", "TextLengths"}
"""Layers that show the kinds there are; every primitive is compiled alone, which takes minutes for all layers."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in sorted(EXAMPLES)])
def test_layers(name):
    layer, params, state, xs = initialised(name)
    run = (evaluated if name in GIVE_NO_FLOATS else trained)(layer, state, xs)
    arguments = (params, [jnp.asarray(x) for x in xs if jnp.issubdtype(x.dtype, jnp.floating)], jax.random.key(1))
    expected = ENGINES["xla"].compile(run)(*arguments)
    for engine in ("debug", "eager"):
        actual = ENGINES[engine].compile(run)(*arguments)
        assert jax.tree.structure(actual) == jax.tree.structure(expected)
        for part, expected_part in zip(actual, expected, strict=True):
            assert_equal(part, expected_part, 1e-6)
