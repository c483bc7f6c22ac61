import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.support.layers import normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.metrics import AveragePrecision, RocAuc

ORACLES = {RocAuc: roc_auc_score, AveragePrecision: average_precision_score}
every_metric = pytest.mark.parametrize("metric", ORACLES)


def value(metric, outputs, targets, weights):
    return float(jax.jit(lambda *xs: metric().compute(metric().update(*xs)))(outputs, targets, weights))


@every_metric
@pytest.mark.parametrize("levels", [3, 1000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_yes_or_no_agrees_with_sklearn_with_ties_and_weights(seed, levels, metric):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, 80).astype(np.float32) / levels
    targets, weights = rng.integers(0, 2, 80).astype(np.int32), rng.random(80).astype(np.float32)
    expected = ORACLES[metric](targets, scores, sample_weight=weights)
    np.testing.assert_allclose(value(metric, scores, targets, weights), expected, rtol=1e-5)
    np.testing.assert_allclose(value(metric, scores[:, None], targets, weights), expected, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_classes_against_the_rest_agree_with_sklearn(seed):
    logits, targets = normal(seed, 60, 4), np.arange(60) % 4
    weights = np.random.default_rng(seed).random(60).astype(np.float32)
    p = softmax(logits.astype(np.float64), -1)
    expected = roc_auc_score(targets, p, sample_weight=weights, multi_class="ovr", average="macro")
    np.testing.assert_allclose(value(RocAuc, logits, targets, weights), expected, rtol=1e-5)
    expected = average_precision_score(np.eye(4)[targets], p, sample_weight=weights, average="macro")
    np.testing.assert_allclose(value(AveragePrecision, logits, targets, weights), expected, rtol=1e-5)


@every_metric
def test_classes_without_examples_do_not_count(metric):
    logits, targets = normal(0, 30, 4), np.arange(30) % 3
    scores = softmax(logits, -1)
    expected = np.mean([ORACLES[metric](targets == c, scores[:, c]) for c in range(3)])
    np.testing.assert_allclose(value(metric, logits, targets, np.ones(30, np.float32)), expected, rtol=1e-5)


@every_metric
def test_many_examples_with_a_rare_class_lose_no_digits(metric):
    rng = np.random.default_rng(0)
    targets = (rng.random(300_000) < 1e-3).astype(np.int32)
    scores = (rng.standard_normal(300_000) + 2 * targets).astype(np.float32)
    weights = rng.random(300_000).astype(np.float32)
    expected = ORACLES[metric](targets, scores, sample_weight=weights)
    np.testing.assert_allclose(value(metric, scores, targets, weights), expected, rtol=1e-5)


@every_metric
def test_one_class_only_or_a_nan_gives_nan(metric):
    assert np.isnan(value(metric, jnp.arange(3.0), jnp.ones(3, jnp.int32), jnp.ones(3)))
    assert np.isnan(value(metric, jnp.array([1.0, jnp.nan]), jnp.array([0, 1]), jnp.ones(2)))


@every_metric
def test_half_precision_scores_are_ranked_as_they_are(metric):
    scores, targets = jnp.asarray(normal(0, 50), jnp.bfloat16), np.arange(50) % 2
    expected = ORACLES[metric](targets, np.float32(scores))
    np.testing.assert_allclose(value(metric, scores, targets, np.ones(50, np.float32)), expected, rtol=1e-5)


@every_metric
def test_shapes_that_do_not_fit_are_refused(metric):
    with pytest.raises(ShapeError, match=f"{metric.__name__} needs outputs"):
        metric().update(jnp.zeros((4, 3)), jnp.zeros(3, jnp.int32), jnp.ones(3))
