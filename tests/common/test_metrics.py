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
from zerfoo_jax.metrics.base import add_sums

CLASSES = np.random.default_rng(3).integers(0, 4, 13).astype(np.int32)

EXAMPLES = {
    "accuracy": ({}, normal(0, 13, 4), CLASSES),
    "bits_per_byte": ({}, normal(0, 13, 256), CLASSES),
    "confusion_matrix": ({"num_classes": 4}, normal(0, 13, 4), CLASSES),
    "mae": ({"scale": 2.0}, normal(0, 13, 2), normal(1, 13, 2)),
    "rmse": ({"scale": 0.5}, normal(0, 13, 2), normal(1, 13, 2)),
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
    whole = metric.compute(jax.jit(metric.update)(outputs, targets, WEIGHTS))
    parts = zip(*(np.split(x, [5, 6]) for x in (outputs, targets, WEIGHTS)), strict=True)
    merged = reduce(add_sums, (metric.update(*map(jnp.asarray, part)) for part in parts))
    np.testing.assert_allclose(metric.compute(merged), whole, rtol=1e-5)


@every_member
def test_what_has_no_weight_does_not_count(name):
    metric, outputs, targets = made(name)
    counted = WEIGHTS > 0
    expected = metric.compute(metric.update(outputs[counted], targets[counted], WEIGHTS[counted]))
    garbage, wrong = outputs.copy(), targets.copy()
    garbage[~counted], wrong[~counted] = np.nan, -1
    value = metric.compute(metric.update(garbage, wrong, WEIGHTS))
    assert jnp.isfinite(value).all()
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@every_member
def test_sums_are_float32_arrays_and_the_value_comes_out_in_float32(name):
    metric, outputs, targets = made(name)
    sums = metric.update(jnp.asarray(outputs, jnp.bfloat16), targets, jnp.ones(13))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(sums))
    assert metric.compute(sums).dtype == jnp.float32


@every_member
def test_is_a_checked_value_with_a_docstring(name):
    metric, _, _ = made(name)
    assert isinstance(metric, Metric) and metric == made(name)[0] and hash(metric) == hash(made(name)[0])
    assert METRICS[name].__doc__ and not METRICS[name].__doc__.startswith(f"{METRICS[name].__name__}(")
    with pytest.raises(ConfigError, match="no option 'nonsense'"):
        bind(METRICS, {"name": name, "nonsense": 1}, "metric")
