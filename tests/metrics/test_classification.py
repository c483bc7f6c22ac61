import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.metrics import Accuracy, ConfusionMatrix, TopKAccuracy
from zerfoo_jax.metrics.base import mean_of


def example(*lead, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, lead).astype(np.float32)
    outputs, targets = normal(seed, *lead, classes), rng.integers(0, classes, lead).astype(np.int32)
    outputs[weights == 0] = np.nan  # padding may hold anything
    targets[weights == 0] = -7
    return outputs, targets, weights


@pytest.mark.parametrize("lead", [(11,), (1,), (3, 5), (2, 3, 4)])
def test_accuracy_and_confusion_agree_with_counting(lead):
    outputs, targets, weights = example(*lead, seed=len(lead) + 1)
    expected = np.zeros((4, 4))
    for i in np.ndindex(lead):
        if weights[i]:
            expected[targets[i], np.argmax(outputs[i])] += weights[i]
    np.testing.assert_allclose(ConfusionMatrix(4).update(outputs, targets, weights), expected)
    accuracy = mean_of(Accuracy().update(outputs, targets, weights))
    np.testing.assert_allclose(accuracy, np.trace(expected) / expected.sum(), rtol=1e-6)


def test_weights_per_sequence_count_for_every_token_of_it():
    outputs, targets, _ = example(3, 3, seed=5)  # square: broadcasting along the wrong axis would go unnoticed
    outputs, targets = np.nan_to_num(outputs), np.abs(targets) % 4
    per_sequence = np.array([1.0, 0.0, 2.0], np.float32)
    expected = ConfusionMatrix(4).update(outputs, targets, np.repeat(per_sequence[:, None], 3, 1))
    np.testing.assert_allclose(ConfusionMatrix(4).update(outputs, targets, per_sequence), expected)
    assert expected.sum() == 9


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int8])
def test_targets_may_be_bytes(dtype):
    logits = jax.nn.one_hot(jnp.array([3, 100, 9]), 256)
    assert Accuracy().each(logits, jnp.array([3, 100, 0], dtype)).tolist() == [1, 1, 0]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="accuracy"):
        Accuracy().each(jnp.zeros((4, 3)), jnp.zeros((4, 3)))
    with pytest.raises(ShapeError, match="accuracy"):
        Accuracy().each(jnp.zeros((4, 4, 3)), jnp.zeros(4, jnp.int32))
    for outputs, targets in (((4, 5), (4,)), ((4, 2), (4,)), ((4, 3), (3,))):
        with pytest.raises(ShapeError, match="num_classes = 3"):
            ConfusionMatrix(3).update(jnp.zeros(outputs), jnp.zeros(targets, jnp.int32), jnp.ones(4))
    with pytest.raises(ShapeError, match="weights"):
        ConfusionMatrix(3).update(jnp.zeros((4, 3)), jnp.zeros(4, jnp.int32), jnp.ones(3))
    with pytest.raises(ConfigError, match="num_classes = 0"):
        ConfusionMatrix(0)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_accuracy_agrees_with_sklearn(k):
    rng = np.random.default_rng(k)
    outputs, targets, weights = normal(k, 40, 5), np.arange(40) % 5, rng.random(40).astype(np.float32)
    expected = top_k_accuracy_score(targets, outputs, k=k, sample_weight=weights)
    np.testing.assert_allclose(mean_of(TopKAccuracy(k).update(outputs, jnp.asarray(targets), weights)), expected, rtol=1e-5)


def test_of_equal_outputs_the_lower_class_is_first_as_with_one_guess():
    outputs = jnp.asarray(np.random.default_rng(0).integers(0, 3, (50, 4)), jnp.float32)
    targets = jnp.arange(50) % 4
    np.testing.assert_array_equal(TopKAccuracy(1).each(outputs, targets), Accuracy().each(outputs, targets))
    assert TopKAccuracy(2).each(jnp.zeros((4, 4)), jnp.arange(4)).tolist() == [1, 1, 0, 0]


def test_top_k_accuracy_is_never_right_about_nan_or_a_class_that_does_not_exist():
    outputs = jnp.array([[jnp.nan, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert TopKAccuracy(5).each(outputs, jnp.array([0, -1, 2])).tolist() == [0, 0, 0]
    with pytest.raises(ShapeError, match="top_k_accuracy"):
        TopKAccuracy().each(jnp.zeros((2, 3)), jnp.zeros(3, jnp.int32))
    with pytest.raises(ConfigError, match="k = 0"):
        TopKAccuracy(0)
