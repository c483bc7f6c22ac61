import jax.numpy as jnp
import pytest

from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import PaddingMask, TextLengths


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8])
def test_says_where_the_tokens_are_and_where_the_last_one_is(dtype):
    ids = jnp.array([[3, 0, 5], [5, 5, 0], [0, 0, 0]], dtype)
    assert PaddingMask().forward({}, ids).tolist() == [[True, False, True], [True, True, False], [False, False, False]]
    assert PaddingMask(5).forward({}, ids).tolist() == [[True, True, False], [False, False, True], [True, True, True]]
    assert TextLengths().forward({}, ids).tolist() == [3, 2, 0]
    assert TextLengths(5).forward({}, ids).tolist() == [2, 3, 3]


def test_texts_without_a_position_have_length_0():
    lengths = TextLengths().forward({}, jnp.zeros((2, 0), jnp.int32))
    assert lengths.tolist() == [0, 0] and lengths.dtype == jnp.int32


@pytest.mark.parametrize("layer", [PaddingMask(), TextLengths()])
@pytest.mark.parametrize("spec", [Spec((2, 3), "float32"), Spec((2, 3, 4), "int32")])
def test_bad_inputs_are_refused(layer, spec):
    with pytest.raises(ShapeError):
        check(layer, spec)
