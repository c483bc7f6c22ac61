import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import ClassToken, FirstToken, PatchEmbedding


@pytest.mark.oracle
@pytest.mark.parametrize(("seed", "shape", "patch"), [(0, (2, 6, 9, 3), 3), (1, (1, 4, 6, 2), (4, 3)), (2, (3, 1, 2, 1), 1)])
def test_patches_agree_with_torch(torch, seed, shape, patch):
    def oracle(p, x):
        y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), p["kernel"].permute(3, 2, 0, 1), p["bias"], stride=patch)
        return y.flatten(2).transpose(1, 2)

    against_torch(torch, PatchEmbedding(5, patch), oracle, normal(seed, *shape), seed=seed)


@pytest.mark.parametrize(("shape", "text"), [((1, 8, 7, 3), "whole patches of"), ((8, 8, 3), "expected 4 axes")])
def test_images_that_are_no_whole_patches_are_refused(shape, text):
    with pytest.raises(ShapeError, match=text):
        PatchEmbedding(4, 4).init(jax.random.key(0), Spec(shape, jnp.float32))


def test_the_class_token_goes_in_front_and_comes_out_again():
    x = normal(0, 3, 4, 5)
    params, _ = random_variables(ClassToken(), x)
    y = ClassToken().forward(params, jnp.asarray(x))
    assert y.shape == (3, 5, 5)
    np.testing.assert_array_equal(y[:, 1:], x)
    assert_close(FirstToken().forward({}, y), np.tile(params["embedding"], (3, 1)), 0)
    against_finite_differences(ClassToken(), x)


def test_a_sequence_without_a_token_has_no_first():
    with pytest.raises(ShapeError, match="without a token"):
        FirstToken().init(jax.random.key(0), Spec((2, 0, 3), jnp.float32))
