import jax
import jax.numpy as jnp
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Conv2D


def conv_oracle(torch, **options):
    def oracle(params, x):
        y = torch.nn.functional.conv2d(
            x.permute(0, 3, 1, 2), params["kernel"].permute(3, 2, 0, 1), params.get("bias"), **options
        )
        return y.permute(0, 2, 3, 1)

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("layer", "options", "shape"),
    [
        (Conv2D(4, 3), {"padding": 1}, (2, 7, 5, 3)),
        (Conv2D(5, (3, 2), strides=(2, 1), padding="VALID"), {"stride": (2, 1)}, (1, 8, 5, 3)),
        (Conv2D(6, 3, dilation=2, groups=2, use_bias=False), {"padding": 2, "dilation": 2, "groups": 2}, (3, 9, 6, 4)),
        (
            Conv2D(6, 3, strides=2, padding=((1, 1), (2, 2)), groups=3),
            {"stride": 2, "padding": (1, 2), "groups": 3},
            (1, 6, 7, 3),
        ),
        (Conv2D(1, 1), {}, (1, 1, 1, 1)),
    ],
)
def test_agrees_with_torch(torch, layer, options, shape):
    against_torch(torch, layer, conv_oracle(torch, **options), normal(sum(shape), *shape), seed=shape[1])


@pytest.mark.oracle
def test_uneven_padding_goes_to_the_named_edges(torch):
    def oracle(params, x):
        padded = torch.nn.functional.pad(x, (0, 0, 3, 1, 0, 2))  # torch names the last axis first
        return conv_oracle(torch)(params, padded)

    against_torch(torch, Conv2D(2, 3, padding=((0, 2), (3, 1))), oracle, normal(0, 2, 4, 3, 2))


def test_gradients_agree_with_finite_differences():
    against_finite_differences(Conv2D(2, (2, 3), strides=2), normal(1, 1, 4, 5, 2))


def test_a_delta_kernel_copies_the_image():
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1)
    x = normal(0, 1, 4, 5, 1)
    assert jnp.array_equal(Conv2D(1, 3, use_bias=False).forward({"kernel": kernel}, x), x)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": 4, "kernel_size": 3, "groups": 3}, "groups = 3"),
        ({"features": 4, "kernel_size": 0}, "kernel_size = 0"),
        ({"features": 4, "kernel_size": (3, 3, 3)}, "kernel_size"),
        ({"features": 4, "kernel_size": 3, "padding": "same"}, "padding = 'same'"),
        ({"features": 4, "kernel_size": 3, "padding": ((-1, 0), (0, 0))}, "padding"),
        ({"features": 4, "kernel_size": 3, "strides": 1.5}, "strides = 1.5"),
    ],
)
def test_bad_options_are_refused_by_name(options, words):
    with pytest.raises(ConfigError, match=words):
        Conv2D(**options)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv2D(4, 3), (2, 7, 3), "batch, height, width, channels"),
        (Conv2D(4, 3, groups=2), (2, 7, 7, 3), "3 input channels"),
        (Conv2D(4, 5, padding="VALID"), (2, 4, 9, 3), "does not fit"),
        (Conv2D(4, 3, padding="VALID", dilation=4), (2, 8, 9, 3), "does not fit"),
    ],
)
def test_bad_inputs_are_refused_at_init(key, layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.init(key, jax.ShapeDtypeStruct(shape, jnp.float32))


def test_integer_images_are_refused(key):
    with pytest.raises(ShapeError, match="uint8"):
        Conv2D(4, 3).init(key, jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.uint8))
