import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.layers import Add, Concatenate, Flatten, Reshape


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 5), (3,), (0, 2, 2), (2, 0, 3)])
def test_flatten_keeps_the_batch_and_the_order(shape):
    x = normal(0, *shape)
    np.testing.assert_array_equal(Flatten().forward({}, x), x.reshape(shape[0], int(np.prod(shape[1:]))))


@pytest.mark.parametrize(("shape", "new"), [((2, 12), (3, 4)), ((1, 2, 6), (12,)), ((0, 4), (2, 2)), ((3, 2), (2, 1, 1))])
def test_reshape_keeps_the_batch_and_the_order(shape, new):
    x = normal(0, *shape)
    np.testing.assert_array_equal(Reshape(new).forward({}, x), x.reshape(shape[0], *new))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_add_sums_all_inputs(count):
    xs = [normal(i, 2, 3) for i in range(count)]
    np.testing.assert_allclose(Add().forward({}, *xs), sum(xs), rtol=1e-6)


@pytest.mark.parametrize(("axis", "shapes"), [(-1, [(2, 3), (2, 1)]), (1, [(2, 1, 4), (2, 5, 4), (2, 0, 4)]), (-2, [(2, 3)])])
def test_concatenate_joins_along_its_axis(axis, shapes):
    xs = [normal(i, *shape) for i, shape in enumerate(shapes)]
    np.testing.assert_array_equal(Concatenate(axis).forward({}, *xs), np.concatenate(xs, axis))


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (Add(), [(2, 3), (2, 1)], r"equal shapes, got \(2, 3\) and \(2, 1\)"),
        (Add(), [], "no input"),
        (Concatenate(), [], "no input"),
        (Concatenate(), [(2, 3), (3, 3)], r"\(2, 3\), \(3, 3\)"),
        (Concatenate(), [(2, 3), (2, 3, 1)], "equal elsewhere"),
        (Concatenate(2), [(2, 3), (2, 3)], "axis = 2"),
        (Flatten(), [()], "batch"),
        (Reshape((2, 3)), [()], "batch"),
        (Reshape((2, 3)), [(6, 5)], r"5 elements, to make \(2, 3\) of, which is 6"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shapes, words):
    with pytest.raises(ShapeError, match=words):
        check(layer, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))


def test_the_axis_is_a_number():
    with pytest.raises(ConfigError, match="axis"):
        Concatenate("last")
