import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check, walk
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import (
    Activation,
    Dense,
    Dropout,
    LayerNorm,
    MultiHeadAttention,
    Sequential,
    TiedEmbedding,
    VocabularyHead,
)

IDS = np.array([[6, 1, 1, 4, 2], [0, 3, 1, 1, 5]], np.int32)


def tied_oracle(torch, scale):
    def oracle(params, ids):
        x = torch.nn.functional.embedding(ids, params["embedding"]) * scale
        hidden = torch.tanh(x @ params["inner"]["dense_0"]["kernel"] + params["inner"]["dense_0"]["bias"])
        return torch.nn.functional.linear(hidden, params["embedding"])

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(("scale_inputs", "seed"), [(False, 0), (True, 1), (True, 2)])
def test_the_tied_table_agrees_with_torch_and_gets_both_gradients(torch, scale_inputs, seed):
    layer = TiedEmbedding(7, 3, Sequential((Dense(3), Activation("tanh"))), scale_inputs=scale_inputs)
    against_torch(torch, layer, tied_oracle(torch, 3**0.5 if scale_inputs else 1.0), IDS, seed=seed)


@pytest.mark.oracle
@pytest.mark.parametrize(("use_bias", "shape"), [(False, (3,)), (True, (2, 5, 3)), (True, (1, 4))])
def test_the_head_agrees_with_torch(torch, use_bias, shape):
    def oracle(params, x):
        return torch.nn.functional.linear(x, params["kernel"], params.get("bias"))

    against_torch(torch, VocabularyHead(7, use_bias=use_bias), oracle, normal(len(shape), *shape), seed=shape[-1])


@pytest.mark.parametrize(
    ("logits", "deferred", "x"),
    [
        (TiedEmbedding(7, 4, LayerNorm()), TiedEmbedding(7, 4, LayerNorm(), output="deferred"), IDS),
        (VocabularyHead(7), VocabularyHead(7, output="deferred"), normal(0, 2, 3, 4)),
    ],
)
def test_deferred_scores_are_the_two_factors_of_the_logits(logits, deferred, x):
    params, state = random_variables(logits, x)
    expected = logits.apply(params, state, x)[0]
    (hidden, kernel), _ = deferred.apply(params, state, x)
    assert kernel.shape == (7, 4)
    assert_close(np.asarray(hidden) @ np.asarray(kernel).T, expected, 1e-5)
    assert jax.eval_shape(deferred.init, jax.random.key(0), x) == jax.eval_shape(logits.init, jax.random.key(0), x)


def test_the_heads_gradients_agree_with_finite_differences():
    against_finite_differences(VocabularyHead(4, use_bias=True), normal(0, 2, 3))


def test_inner_sees_further_inputs_keys_and_the_training_mode(key):
    layer = TiedEmbedding(7, 4, MultiHeadAttention(2))
    params, state = random_variables(layer, IDS)
    mask = jnp.ones((1, 1, 5, 5), bool).at[..., 4].set(False)
    masked = layer.apply(params, state, IDS, mask)[0]
    assert not jnp.allclose(masked, layer.apply(params, state, IDS)[0])
    other_last = jnp.asarray(IDS).at[:, 4].set(0)
    assert jnp.array_equal(masked[:, :4], layer.apply(params, state, other_last, mask)[0][:, :4])
    dropped = TiedEmbedding(7, 4, Dropout(0.5))
    table = {"embedding": params["embedding"]}
    assert not jnp.allclose(dropped.apply(table, {}, IDS, key=key, train=True)[0], dropped.apply(table, {}, IDS)[0])


def test_the_model_names_inner_by_its_path():
    layer = TiedEmbedding(7, 4, Sequential((Dense(5), Dense(4))))
    visits = {visit.path: visit.output.shape for visit in walk(layer, Spec((2, 3), jnp.int32)).visits}
    assert visits["inner/dense_0"] == (2, 3, 5)
    assert visits[""] == (2, 3, 7)


@pytest.mark.parametrize("features", [50, 400])
def test_the_head_starts_with_the_variance_of_its_inputs_width(key, features):
    params, _ = VocabularyHead(300).init(key, Spec((1, features), jnp.float32))
    assert params["kernel"].shape == (300, features)
    np.testing.assert_allclose(params["kernel"].std(), features**-0.5, rtol=0.05)


def test_an_id_out_of_range_gives_nan():
    layer = TiedEmbedding(7, 4, Dense(4))
    params, state = random_variables(layer, IDS)
    assert jnp.isnan(layer.apply(params, state, jnp.array([6, 7, -1]))[0]).all(-1).tolist() == [False, True, True]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="use_bias"):
        VocabularyHead(7, use_bias=True, output="deferred")
    with pytest.raises(ConfigError, match="output = 'lazy'"):
        VocabularyHead(7, output="lazy")
    with pytest.raises(ShapeError, match=r"4 features, got shape \(2, 5, 3\)"):
        check(TiedEmbedding(7, 4, Dense(3)), Spec(IDS.shape, jnp.int32))
    with pytest.raises(ShapeError, match="integer"):
        check(TiedEmbedding(7, 4, Dense(4)), Spec((2, 3), jnp.float32))
    with pytest.raises(ShapeError, match="floating"):
        check(VocabularyHead(7), Spec((2, 3), jnp.int32))
