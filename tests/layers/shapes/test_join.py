import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.layers import Add, Bias, Concatenate, Multiply


@pytest.mark.parametrize("count", [1, 2, 3])
def test_add_sums_and_multiply_multiplies_all_inputs(count):
    xs = [normal(i, 2, 3) for i in range(count)]
    np.testing.assert_allclose(Add().forward({}, *xs), sum(xs), rtol=1e-6)
    np.testing.assert_allclose(Multiply().forward({}, *xs), math.prod(xs), rtol=1e-6)


@pytest.mark.parametrize(("axis", "shapes"), [(-1, [(2, 3), (2, 1)]), (1, [(2, 1, 4), (2, 5, 4), (2, 0, 4)]), (-2, [(2, 3)])])
def test_concatenate_joins_along_its_axis(axis, shapes):
    xs = [normal(i, *shape) for i, shape in enumerate(shapes)]
    np.testing.assert_array_equal(Concatenate(axis).forward({}, *xs), np.concatenate(xs, axis))


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (Add(), [(2, 3), (2, 1)], r"equal shapes, got \(2, 3\) and \(2, 1\)"),
        (Multiply(), [(2, 3), (2, 1)], "Multiply needs equal shapes"),
        (Add(), [], "no input"),
        (Multiply(), [], "no input"),
        (Concatenate(), [], "no input"),
        (Concatenate(), [(2, 3), (3, 3)], r"\(2, 3\), \(3, 3\)"),
        (Concatenate(), [(2, 3), (2, 3, 1)], "equal elsewhere"),
        (Concatenate(2), [(2, 3), (2, 3)], "axis = 2"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shapes, words):
    with pytest.raises(ShapeError, match=words):
        check(layer, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))


@pytest.mark.parametrize("layer", [Add(), Multiply(), Concatenate()])
def test_mixed_dtypes_are_refused(layer):
    floats, integers = jnp.ones((2, 3)), jnp.ones((2, 3), jnp.int32)
    with pytest.raises(ShapeError, match="one dtype, got float32, int32"), jax.numpy_dtype_promotion("standard"):
        layer.forward({}, floats, integers)
    assert layer.forward({}, integers, integers).dtype == jnp.int32


def test_the_axis_is_a_number():
    with pytest.raises(ConfigError, match="axis"):
        Concatenate("last")


def test_bias_adds_its_vector_everywhere(key):
    x = normal(0, 2, 3, 4)
    params, _ = Bias({"name": "normal", "stddev": 1.0}).init(key, x)
    np.testing.assert_allclose(Bias().forward(params, x), x + np.asarray(params["bias"]), rtol=1e-6)
    assert Bias().init(key, x)[0]["bias"].tolist() == [0.0] * 4
    against_finite_differences(Bias(), x)
    with pytest.raises(ShapeError, match="int32"):
        Bias().init(key, jax.ShapeDtypeStruct((2,), jnp.int32))
