import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as sk

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.metrics import F1, MeanIoU, NegativePredictiveValue, Precision, Recall, Specificity

ORACLES = {
    Precision: sk.precision_score,
    Recall: sk.recall_score,
    F1: sk.f1_score,
    MeanIoU: sk.jaccard_score,
}


def value(metric, outputs, targets, weights=None):
    weights = np.ones(len(targets), np.float32) if weights is None else weights
    return float(metric.compute(metric.update(jnp.asarray(outputs), jnp.asarray(targets), weights)))


def example(seed, size=60, classes=5):
    """Outputs, targets and weights, where one class neither occurs nor is guessed and one is never guessed."""
    rng = np.random.default_rng(seed)
    outputs, targets = normal(seed, size, classes), rng.integers(0, classes - 1, size)
    outputs[:, classes - 2 :] -= 100
    return outputs, targets.astype(np.int32), rng.integers(0, 4, size).astype(np.float32)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("metric", ORACLES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_agree_with_sklearn(seed, metric, average):
    outputs, targets, weights = example(seed)
    expected = ORACLES[metric](targets, outputs.argmax(-1), average=average, sample_weight=weights, zero_division=0)
    np.testing.assert_allclose(value(metric(average=average), outputs, targets, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 0.4])
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("metric", [*ORACLES, Specificity, NegativePredictiveValue])
def test_yes_or_no_agrees_with_sklearn(metric, column, threshold):
    rng = np.random.default_rng(0)
    scores, targets = normal(0, 40), rng.integers(0, 2, 40).astype(np.float32)
    weights = rng.random(40).astype(np.float32)
    guess = scores > threshold
    if metric in ORACLES:
        expected = ORACLES[metric](targets, guess, sample_weight=weights)
    else:  # those of the other class, turned round
        oracle = sk.recall_score if metric is Specificity else sk.precision_score
        expected = oracle(targets, guess, pos_label=0, sample_weight=weights)
    outputs = scores[:, None] if column else scores
    np.testing.assert_allclose(value(metric(threshold=threshold), outputs, targets, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("metric", [Specificity, NegativePredictiveValue])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_classes_against_the_rest_agree_with_counting(metric, average):
    outputs, targets, weights = example(3)
    guess = outputs.argmax(-1)
    classes = np.union1d(targets[weights > 0], guess[weights > 0])
    negatives = [weights @ ((targets != c) & (guess != c)) for c in classes]
    of = guess if metric is NegativePredictiveValue else targets
    totals = [weights @ (of != c) for c in classes]
    share = np.ones(len(classes)) if average == "macro" else [weights @ (targets == c) for c in classes]
    expected = np.average(np.divide(negatives, totals), weights=share)
    if average == "micro":  # the class that neither occurs nor is guessed counts here: all of it is rightly not guessed
        expected = (sum(negatives) + weights.sum()) / (sum(totals) + weights.sum())
    np.testing.assert_allclose(value(metric(average=average), outputs, targets, weights), expected, rtol=1e-5)


def test_places_of_an_image_count_one_by_one():
    outputs, targets = normal(0, 2, 3, 4, 5), np.random.default_rng(0).integers(0, 5, (2, 3, 4))
    weights = np.array([1.0, 3.0], np.float32)
    expected = sk.jaccard_score(
        targets.ravel(), outputs.argmax(-1).ravel(), average="macro", sample_weight=np.repeat(weights, 12)
    )
    np.testing.assert_allclose(value(MeanIoU(), outputs, targets, weights), expected, rtol=1e-5)


def test_nothing_to_divide_is_zero_and_a_target_that_is_no_class_is_in_none():
    assert value(Precision(), jnp.array([-1.0, -2.0]), jnp.array([1, 0])) == 0
    # Class 0 is found; 1 and 2 are guessed where a target is no class.
    np.testing.assert_allclose(value(Recall(), jnp.eye(3), jnp.array([0, -1, 3])), 1 / 3, rtol=1e-6)


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigError, match="average = 'samples'"):
        Precision(average="samples")
    for outputs, targets in (((4, 3), (3,)), ((4, 2, 3), (4,)), ((4,), (4, 1))):
        with pytest.raises(ShapeError, match="Recall needs outputs"):
            Recall().update(jnp.zeros(outputs), jnp.zeros(targets, jnp.int32), jnp.ones(4))
