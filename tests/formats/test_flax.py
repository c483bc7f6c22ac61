"""Flax's own modules and ours of the same build: equal outputs, trees both ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.formats.flax import from_flax, to_flax
import zerfoo_jax.layers as L

linen = pytest.importorskip("flax.linen", reason="the dev extra is not installed")


class CNN(linen.Module):
    """Convolutions with batch normalisation, then dense layers."""

    @linen.compact
    def __call__(self, x):
        x = linen.Conv(4, (3, 3), strides=2)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=True)(x))
        x = linen.Conv(6, (2, 3), padding="VALID", feature_group_count=2, use_bias=False)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=True)(x))
        x = x.reshape(x.shape[0], -1)
        return linen.Dense(3, name="head")(linen.tanh(linen.Dense(5)(x)))


class Text(linen.Module):
    """Embedding, attention, norms."""

    @linen.compact
    def __call__(self, x):
        x = linen.Embed(7, 8)(x)
        x = linen.LayerNorm()(x)
        x = linen.MultiHeadDotProductAttention(2)(x, x)
        return linen.Dense(3)(linen.RMSNorm()(x))


CASES = {
    "a multilayer perceptron": (
        linen.Sequential([linen.Dense(6), linen.relu, linen.Dense(4, use_bias=False), linen.relu, linen.Dense(2)]),
        L.Sequential((L.Dense(6), L.Activation("relu"), L.Dense(4, use_bias=False), L.Activation("relu"), L.Dense(2))),
        normal(0, 3, 5),
        {"dense_0": "layers_0", "dense_1": "layers_2", "dense_2": "layers_4"},
    ),
    "a convolutional network": (
        CNN(),
        L.Sequential(
            (
                *(L.Conv2D(4, 3, 2), L.BatchNorm(), L.Activation("relu")),
                *(L.Conv2D(6, (2, 3), padding="VALID", groups=2, use_bias=False), L.BatchNorm(), L.Activation("relu")),
                *(L.Flatten(), L.Dense(5), L.Activation("tanh"), L.Dense(3)),
            )
        ),
        normal(0, 2, 9, 8, 3),
        {},
    ),
    "attention over tokens": (
        Text(),
        L.Sequential(
            (L.Embedding(7, 8), L.LayerNorm(epsilon=1e-6), L.MultiHeadAttention(2), L.RMSNorm(epsilon=1e-6), L.Dense(3))
        ),
        np.array([[1, 0, 6], [2, 2, 5]], np.int32),
        {},
    ),
    "one layer": (linen.Dense(3), L.Dense(3), normal(0, 2, 4), {}),
}


def randomised(tree):
    """Arrays other than at the start: positive, as variances have to be."""
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda s: rng.uniform(0.2, 1.5, s.shape).astype(s.dtype), tree)


@pytest.fixture(params=CASES)
def case(request):
    module, model, x, names = CASES[request.param]
    variables = randomised(jax.eval_shape(module.init, jax.random.key(0), x))
    return module, model, x, names, variables


def test_outputs_are_equal_and_the_tree_comes_back(case):
    module, model, x, names, variables = case
    network = from_flax(model, variables, spec_of(x), names=names)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        expected = jax.jit(module.apply)(variables, x)
    np.testing.assert_allclose(jax.jit(network)(x), expected, rtol=2e-5, atol=1e-5)
    back = to_flax(network, jax.eval_shape(lambda: variables), names=names)
    assert jax.tree.structure(back) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, back, variables)


def test_an_nnx_state():
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(4, 3, rngs=rngs)
            self.norm = nnx.BatchNorm(3, use_running_average=True, rngs=rngs)
            self.layers = nnx.List([nnx.Linear(3, 2, rngs=rngs)])

        def __call__(self, x):
            return self.layers[0](self.norm(self.first(x)))

    graph, state = nnx.split(nnx.eval_shape(lambda: Net(nnx.Rngs(0))))
    tree = randomised(nnx.to_pure_dict(state))
    nnx.replace_by_pure_dict(state, jax.tree.map(jnp.asarray, tree))
    x, names = normal(0, 2, 4), {"dense_0": "first", "dense_1": "layers/0"}
    model = L.Sequential((L.Dense(3), L.BatchNorm(), L.Dense(2)))
    network = from_flax(model, tree, spec_of(x), names=names)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        expected = jax.jit(lambda x: nnx.merge(graph, state)(x))(x)
    np.testing.assert_allclose(jax.jit(network)(x), expected, rtol=2e-5, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, to_flax(network, tree, names=names), tree)


DENSE = {"kernel": np.ones((4, 3)), "bias": np.ones(3)}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"params": {"Dense_0": DENSE}}, "no module of Flax corresponds to this one\n  at dense_1"),
        ({"params": {"Dense_0": DENSE, "Dense_1": DENSE}}, r"Dense_1/kernel has shape \(4, 3\), ours \(3, 2\)"),
        ({"params": {"Dense_0": {"kernel": DENSE["kernel"]}, "Dense_1": DENSE}}, "missing: Dense_0/bias"),
        ({"params": {"Dense_0": DENSE, "Dense_1": DENSE, "Dense_2": DENSE}}, "left over.*\n.*Dense_2/bias"),
        ({"params": {}, "cache": {}}, "the collection 'cache'"),
        ({"params": {"a": DENSE, "b": DENSE}}, "say which in names"),
        ({"params": {"Dense_0": np.ones(3)}}, "no module"),
    ],
)
def test_what_does_not_correspond_is_named(tree, said):
    model = L.Sequential((L.Dense(3), L.Dense(2)))
    with pytest.raises(FormatError, match=said):
        from_flax(model, tree, jax.ShapeDtypeStruct((1, 4), jnp.float32))


def test_recurrent_cells_are_refused():
    module = linen.RNN(linen.OptimizedLSTMCell(4))
    variables = jax.eval_shape(module.init, jax.random.key(0), np.ones((1, 3, 8), np.float32))
    with pytest.raises(FormatError, match="forward_0"):
        from_flax(L.LSTM(4), variables, jax.ShapeDtypeStruct((1, 3, 8), jnp.float32))


def test_transposed_convolutions_are_refused():
    x = normal(0, 1, 5, 5, 2)
    module, model = linen.ConvTranspose(3, (3, 3)), L.Residual(L.ConvTranspose2D(3, 3))
    variables = jax.eval_shape(module.init, jax.random.key(0), x)
    with pytest.raises(FormatError, match="ConvTranspose2D"):
        from_flax(model, variables, spec_of(x))
