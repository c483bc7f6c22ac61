import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.layers import DepthwiseConv2D, SeparableConv2D


def depthwise(torch, kernel, bias, x, **options):
    y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), bias, groups=x.shape[-1], **options)
    return y.permute(0, 2, 3, 1)


GEOMETRIES = [
    ({"kernel_size": 3}, {"padding": 1}, (2, 5, 4, 3)),
    ({"kernel_size": 3, "multiplier": 2, "use_bias": False}, {"padding": 1}, (2, 5, 4, 3)),
    (
        {"kernel_size": (2, 3), "strides": (3, 2), "padding": ((0, 0), (2, 2)), "dilation": (1, 2), "multiplier": 3},
        {"stride": (3, 2), "padding": (0, 2), "dilation": (1, 2)},
        (1, 9, 8, 2),
    ),
    ({"kernel_size": 3, "padding": "VALID", "multiplier": 2}, {}, (2, 5, 4, 1)),  # of one channel
]


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "theirs", "shape"), GEOMETRIES)
def test_agrees_with_torch(torch, ours, theirs, shape):
    def oracle(params, x):
        return depthwise(torch, params["kernel"], params.get("bias"), x, **theirs)

    against_torch(torch, DepthwiseConv2D(**ours), oracle, normal(0, *shape), seed=shape[1])


@pytest.mark.oracle
@pytest.mark.parametrize(("ours", "theirs", "shape"), GEOMETRIES)
def test_separable_is_depthwise_then_a_matrix_over_channels_as_in_torch(torch, ours, theirs, shape):
    def oracle(params, x):
        y = depthwise(torch, params["depthwise"]["kernel"], None, x, **theirs) @ params["pointwise"]["kernel"][0, 0]
        return y + params["pointwise"]["bias"] if "bias" in params["pointwise"] else y

    against_torch(torch, SeparableConv2D(5, **ours), oracle, normal(1, *shape), seed=shape[1])


def test_gradients_agree_with_finite_differences():
    against_finite_differences(DepthwiseConv2D((3, 2), 2, multiplier=2), normal(1, 1, 4, 5, 2))


def test_sums_of_half_precision_are_taken_in_float32():
    layer = DepthwiseConv2D((1, 65), padding="VALID", use_bias=False)
    x = jnp.ones((1, 1, 65, 1), jnp.float16).at[0, 0, 0].set(2048)  # to which float16 cannot add 1
    params = {"kernel": jnp.ones((1, 65, 1, 1), jnp.float16)}
    assert jax.jit(layer.forward)(params, x).ravel().tolist() == [2112.0]


@pytest.mark.parametrize("layer", [DepthwiseConv2D(3), SeparableConv2D(3, 3)])
def test_bad_inputs_are_refused_at_init(key, layer):
    with pytest.raises(ShapeError, match="batch, height, width, channels"):
        layer.init(key, jax.ShapeDtypeStruct((2, 7, 3), jnp.float32))
    with pytest.raises(ShapeError, match="floating"):
        layer.init(key, jax.ShapeDtypeStruct((2, 7, 7, 3), jnp.int32))
