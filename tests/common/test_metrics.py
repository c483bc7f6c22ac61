"""Every member of METRICS: sums of parts add up to the whole, what has no weight does not count. One example each."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.spec import bind
from zerfoo_jax.metrics import METRICS, Metric
from zerfoo_jax.metrics.base import add_sums, fold_sums

CLASSES = np.random.default_rng(3).integers(0, 4, 13).astype(np.int32)

EXAMPLES = {
    "accuracy": ({}, normal(0, 13, 4), CLASSES),
    "bits_per_byte": ({}, normal(0, 13, 256), CLASSES),
    "confusion_matrix": ({"num_classes": 4}, normal(0, 13, 4), CLASSES),
    "f1": ({"average": "macro"}, normal(0, 13, 4), CLASSES),
    "mae": ({"scale": 2.0}, normal(0, 13, 2), normal(1, 13, 2)),
    "mean_iou": ({}, normal(0, 13, 3, 4), np.stack([CLASSES] * 3, 1)),
    "mse": ({"scale": 2.0}, normal(0, 13, 2), normal(1, 13, 2)),
    "negative_predictive_value": ({"threshold": 0.3}, normal(0, 13, 1), CLASSES % 2),
    "pearson": ({}, normal(0, 13, 2), normal(1, 13, 2)),
    "perplexity": ({}, normal(0, 13, 4), CLASSES),
    "pr_auc": ({}, normal(0, 13), CLASSES % 2),
    "precision": ({"average": "weighted"}, normal(0, 13, 4), CLASSES),
    "r2": ({}, normal(0, 13, 2), normal(1, 13, 2)),
    "recall": ({"average": "micro"}, normal(0, 13, 4), CLASSES),
    "rmse": ({"scale": 0.5}, normal(0, 13, 2), normal(1, 13, 2)),
    "roc_auc": ({}, normal(0, 13, 4), CLASSES),
    "spearman": ({}, normal(0, 13, 2), normal(1, 13, 2)),
    "specificity": ({}, normal(0, 13, 4), CLASSES),
    "top_k_accuracy": ({"k": 2}, normal(0, 13, 4), CLASSES),
}
WEIGHTS = np.array([1, 0, 2, 1, 0, 0.5, 1, 1, 3, 0, 1, 1, 0], np.float32)

every_member = pytest.mark.parametrize("name", sorted(METRICS))


def made(name):
    options, outputs, targets = EXAMPLES[name]
    return bind(METRICS, {"name": name, **options}, "metric")(), outputs, targets


def test_every_member_has_an_example():
    assert sorted(EXAMPLES) == sorted(METRICS)


@every_member
def test_batches_of_unequal_size_add_up_to_the_whole(name):
    metric, outputs, targets = made(name)
    update = jax.jit(metric.update)
    whole = jax.jit(metric.compute)(update(outputs, targets, WEIGHTS))
    parts = zip(*(np.split(x, [5, 6]) for x in (outputs, targets, WEIGHTS)), strict=True)
    merged = reduce(add_sums, (update(*part) for part in parts))
    np.testing.assert_allclose(jax.jit(metric.compute)(merged), whole, rtol=1e-5)


@every_member
def test_micro_batches_that_lie_along_a_new_axis_fold_into_the_whole(name):
    metric, outputs, targets = made(name)

    @jax.jit
    def whole(outputs, targets, weights):
        return metric.compute(metric.update(outputs, targets, weights))

    @jax.jit
    def folded(*parts):
        stacked = jax.lax.map(lambda part: metric.update(*part), tuple(x.reshape(3, 4, *x.shape[1:]) for x in parts))
        return metric.compute(fold_sums(stacked))

    twelve = outputs[:12], targets[:12], WEIGHTS[:12]
    np.testing.assert_allclose(folded(*twelve), whole(*twelve), rtol=1e-5)


@every_member
def test_what_has_no_weight_does_not_count(name):
    metric, outputs, targets = made(name)
    counted = WEIGHTS > 0

    @jax.jit
    def value(outputs, targets, weights):
        return metric.compute(metric.update(outputs, targets, weights))

    garbage, wrong = outputs.copy(), targets.copy()
    garbage[~counted], wrong[~counted] = np.nan, -1
    assert jnp.isfinite(value(garbage, wrong, WEIGHTS)).all()
    expected = value(outputs[counted], targets[counted], WEIGHTS[counted])
    np.testing.assert_allclose(value(garbage, wrong, WEIGHTS), expected, rtol=1e-5)


@every_member
def test_sums_are_float32_arrays_and_the_value_comes_out_in_float32(name):
    metric, outputs, targets = made(name)
    sums = metric.update(jnp.asarray(outputs, jnp.bfloat16), targets, jnp.ones(13))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(sums))
    assert jax.eval_shape(metric.compute, sums).dtype == jnp.float32


@every_member
def test_is_a_checked_value_with_a_docstring(name):
    metric, _, _ = made(name)
    assert isinstance(metric, Metric) and metric == made(name)[0] and hash(metric) == hash(made(name)[0])
    assert METRICS[name].__doc__ and not METRICS[name].__doc__.startswith(f"{METRICS[name].__name__}(")
    with pytest.raises(ConfigError, match="no option 'nonsense'"):
        bind(METRICS, {"name": name, "nonsense": 1}, "metric")
