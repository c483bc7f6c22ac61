"""Activity is what the layers give, wherever they stand and whatever is done with the function; and it changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
import zerfoo_jax as zf
from zerfoo_jax.core import recording
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.layer import walk
from zerfoo_jax.core.recording import SUMMARY, recorded, summary_of
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.graph import Graph, Node, Shared, graph_of
import zerfoo_jax.layers as L

X = normal(0, 3, 4)


def initialised(model, *xs):
    return jax.jit(lambda key: model.init(key, *map(spec_of, xs)))(jax.random.key(0))


INNER = L.Sequential((L.Dense(4), L.Activation("tanh")))
MODEL = Graph(
    ("x",),
    (
        Node("encoder", INNER, ("x",)),
        Node("again", Shared("encoder"), ("encoder",)),
        Node("parts", L.Split((1, 3)), ("again",)),
        Node("both", L.Parallel((L.Dense(4), L.Frozen(INNER))), ("again",)),
        Node("blocks", L.Stack(L.Residual(L.Sequential((L.BatchNorm(), L.Dense(8)))), 3), ("both",)),
        Node("low", L.LoRA(INNER, 2, 1.0), ("blocks",)),
    ),
    ("low", "parts:0"),
)


@pytest.fixture(scope="module")
def made():
    return initialised(MODEL, jnp.asarray(X))


def test_every_node_gives_what_it_computes_and_nothing_else_changes(made):
    params, state = made
    run = jax.jit(lambda p, s, x: (recorded(MODEL, what="values")(p, s, x, train=True), MODEL.apply(p, s, x, train=True)))
    (output, new_state, activity), (expected, expected_state) = run(params, state, X)
    jax.tree.map(np.testing.assert_array_equal, (output, new_state), (expected, expected_state))
    paths = {visit.path.replace("block[3]", "block") for visit in walk(MODEL, spec_of(jnp.asarray(X))).visits} - {""}
    assert {path.partition(":")[0] for path in activity} == paths

    kernel, bias = (np.asarray(params["encoder"]["dense_0"][name]) for name in ("kernel", "bias"))
    first = np.tanh(X @ kernel + bias)
    np.testing.assert_allclose(activity["encoder/activation_0"], first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(activity["again/dense_0"], first @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(jnp.concatenate([activity["parts:0"], activity["parts:1"]], -1), activity["again"])
    np.testing.assert_array_equal(activity["both"][:, 4:], activity["both/branch_1/layer/activation_0"])
    assert activity["blocks/block/inner/dense_0"].shape == (3, 3, 8)
    np.testing.assert_array_equal(activity["blocks/block"][-1], activity["blocks"])
    np.testing.assert_allclose(
        activity["blocks/block"][1] - activity["blocks/block"][0], activity["blocks/block/inner"][1], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(activity["low/layer/activation_0"], output[0])


def test_a_summary_is_of_all_numbers():
    x = np.concatenate([normal(1, 50), np.zeros(10, np.float32)]) + np.float32(0)
    expected = [x.mean(dtype=np.float64), x.std(dtype=np.float64), x.min(), x.max(), 0, 10 / 60]
    np.testing.assert_allclose(summary_of(x.reshape(6, 10)), expected, rtol=1e-5, atol=1e-6)
    odd = dict(zip(SUMMARY, summary_of(jnp.array([np.nan, np.inf, 0.0, 1.0], jnp.bfloat16)).tolist(), strict=True))
    assert (odd["nonfinite"], odd["zeros"]) == (2.0, 0.25)
    assert summary_of(jnp.zeros((0, 3)))[SUMMARY.index("nonfinite")] == 0
    assert summary_of(jnp.array([True, False]))[0] == 0.5


def test_summaries_pass_through_gradients_maps_and_rematerialisation(made):
    params, state = made
    block = L.Residual(L.Sequential((L.LayerNorm(), L.Dense(4))))
    plain, remat = L.Sequential((L.Stack(block, 2),)), L.Sequential((L.Stack(block, 2, remat=True),))
    params, state = initialised(plain, jnp.asarray(X))

    def loss(params, x, model):
        output, _, activity = recorded(model)(params, state, x)
        return jnp.sum(output**2), activity

    gradient = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=2)
    (_, activity), found = gradient(params, X, remat)
    expected = jax.grad(lambda p: jnp.sum(plain.apply(p, state, X)[0] ** 2))(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, expected)
    assert {name: x.shape for name, x in activity.items()}["stack_0/block/inner/dense_0"] == (2, 6)

    each = jax.vmap(lambda x: loss(params, x[None], plain)[1])(X)
    values = recorded(plain, what="values")(params, state, X)[2]
    means = values["stack_0/block/inner"].mean(-1)
    np.testing.assert_allclose(each["stack_0/block/inner"][..., 0], means.T, rtol=1e-5, atol=1e-6)


def test_values_have_gradients():
    model = L.Sequential((L.Activation("tanh"), L.Activation("relu")))
    gradient = jax.grad(lambda x: recorded(model, "activation_0", "values")({}, {}, x)[2]["activation_0"].sum())
    np.testing.assert_allclose(gradient(X), 1 - np.tanh(X) ** 2, rtol=1e-4, atol=1e-6)


def test_the_state_of_an_adversarial_pair_is_free_of_records():
    pair = L.AdversarialPair(L.Dense(4), L.Sequential((L.Dense(3), L.BatchNorm(), L.Dense(1))), 2)
    params, state = initialised(pair, jnp.asarray(X))
    key = jax.random.key(1)
    output, new_state, activity = recorded(pair, what="values")(params, state, X, key=key, train=True)
    expected, expected_state = pair.apply(params, state, jnp.asarray(X), key=key, train=True)
    jax.tree.map(np.testing.assert_array_equal, (output, new_state), (expected, expected_state))
    np.testing.assert_array_equal(activity["discriminator"][:, 0], output[:, 0])  # on the real examples
    assert "generator" in activity and "discriminator/dense_1" in activity


def test_patterns_choose_and_what_they_miss_is_named(made):
    params, state = made
    _, _, activity = recorded(MODEL, ("both/*", "**/dense_0"))(params, state, X)
    assert sorted(activity) == [
        *("again/dense_0", "blocks/block/inner/dense_0", "both/branch_0", "both/branch_1", "both/branch_1/layer/dense_0"),
        *("encoder/dense_0", "low/layer/dense_0"),
    ]
    with pytest.raises(ConfigError, match=r"(?s)no node matches 'encodr'.*did you mean 'encoder'"):
        recorded(MODEL, ("encodr", "**"))(params, state, X)
    assert recording._current.get() is None  # an error ends the recording too


def test_without_recording_the_program_is_the_same(made):
    params, state = made
    before = str(jax.make_jaxpr(lambda x: MODEL.apply(params, state, x))(X))
    recorded(MODEL)(params, state, X)
    assert str(jax.make_jaxpr(lambda x: MODEL.apply(params, state, x))(X)) == before
    assert zf.recorded is recorded


def test_nothing_to_record():
    with pytest.raises(ConfigError, match="no node matches"):
        recorded(L.Dense(3))(*initialised(L.Dense(3), jnp.asarray(X)), X)
    assert recorded(graph_of({"mask": L.PaddingMask()}), what="values")({}, {}, jnp.array([[1, 0]]))[2]["mask"].dtype == bool
