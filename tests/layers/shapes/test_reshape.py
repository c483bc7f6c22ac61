import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.layers import Flatten, Permute, Reshape, Slice, Split


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 5), (3,), (0, 2, 2), (2, 0, 3)])
def test_flatten_keeps_the_batch_and_the_order(shape):
    x = normal(0, *shape)
    np.testing.assert_array_equal(Flatten().forward({}, x), x.reshape(shape[0], int(np.prod(shape[1:]))))


@pytest.mark.parametrize(
    ("shape", "new"),
    [((2, 12), (3, 4)), ((1, 2, 6), (12,)), ((0, 4), (2, 2)), ((3, 2), (2, 1, 1)), ((2, 3, 4), (-1, 2))],
)
def test_reshape_keeps_the_batch_and_the_order(shape, new):
    x = normal(0, *shape)
    np.testing.assert_array_equal(Reshape(new).forward({}, x), x.reshape(shape[0], *new))


@pytest.mark.parametrize(("shape", "axes"), [((2, 3, 4), (2, 1)), ((2, 3, 4, 5), (3, 1, 2)), ((0, 3), (1,))])
def test_permute_reorders_the_axes_behind_the_batch(shape, axes):
    x = normal(0, *shape)
    np.testing.assert_array_equal(Permute(axes).forward({}, x), np.transpose(x, (0, *axes)))


@pytest.mark.parametrize(
    ("parts", "axis", "shape", "cuts"),
    [(3, -1, (2, 6), [2, 4]), ((1, 0, 4), 1, (2, 5, 3), [1, 1]), (1, -2, (1, 3, 2), []), ((2, 2), 2, (3, 1, 4), [2])],
)
def test_split_cuts_in_order(parts, axis, shape, cuts):
    x = normal(0, *shape)
    found = Split(parts, axis).forward({}, x)
    assert isinstance(found, tuple)
    for part, expected in zip(found, np.split(x, cuts, axis), strict=True):
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Slice(1, 3), lambda x: x[..., 1:3]),
        (Slice(start=-2, axis=1), lambda x: x[:, -2:]),
        (Slice(step=-2, axis=-2), lambda x: x[:, ::-2]),
        (Slice(stop=-1, step=3), lambda x: x[..., :-1:3]),
    ],
)
def test_slice_cuts_as_python_does(layer, expected):
    x = normal(0, 2, 5, 7)
    np.testing.assert_array_equal(layer.forward({}, x), expected(x))


@pytest.mark.parametrize(
    ("layer", "shapes", "words"),
    [
        (Flatten(), [()], "batch"),
        (Reshape((2, 3)), [()], "batch"),
        (Reshape((4, -1)), [(6, 5)], r"5 elements, to make \(4, -1\) of, which is a multiple of 4"),
        (Permute((2, 1)), [(6, 5)], "needs 3 axes"),
        (Split(2), [(6, 5)], "parts 2 does not fit axis -1"),
        (Split((2, 2)), [(6, 5)], r"parts \(2, 2\) does not fit"),
        (Split(2, axis=0), [(6, 5)], "axis = 0 is not an axis behind the batch"),
        (Split(2, axis=-2), [(6, 5)], "axis = -2"),
        (Slice(axis=2), [(6, 5)], "axis = 2"),
        (Slice(3, 3), [(6, 5)], "leaves nothing"),
        (Reshape((2, 3)), [(6, 5)], r"5 elements, to make \(2, 3\) of, which is 6"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shapes, words):
    with pytest.raises(ShapeError, match=words):
        check(layer, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Reshape((-1, -1)), "more than one size open"),
        (lambda: Reshape((0, 2)), "shape"),
        (lambda: Permute((1, 1)), "does not name each axis"),
        (lambda: Permute((0, 1)), "axes"),
        (lambda: Split(0), "parts"),
        (lambda: Slice(step=0), "step = 0"),
    ],
)
def test_bad_options_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
