import jax
import jax.numpy as jnp
from jax.test_util import check_grads
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Conv1D, Conv2D, Conv3D


def conv_oracle(torch, **options):
    """Torch's convolution over as many axes as `x` has, on channels-last data and our kernel's layout."""

    def oracle(params, x):
        axes = x.ndim - 2
        convolve = getattr(torch.nn.functional, f"conv{axes}d")
        kernel = params["kernel"].permute(axes + 1, axes, *range(axes))
        return convolve(x.movedim(-1, 1), kernel, params.get("bias"), **options).movedim(1, -1)

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
        (Conv2D(5, 1, strides=(2, 3)), {"stride": (2, 3)}, (2, 5, 7, 3)),
        (Conv2D(2, 1, padding=((1, 1), (2, 2)), strides=2), {"stride": 2, "padding": (1, 2)}, (2, 5, 4, 3)),
        (Conv2D(3, 3, padding=((2, 2), (2, 2))), {"padding": 2}, (2, 4, 5, 2)),  # more comes out than went in
        (Conv2D(5, (2, 3), (2, 3), ((1, 1), (0, 0))), {"stride": (2, 3), "padding": (1, 0)}, (2, 5, 8, 3)),  # no overlap
        (Conv3D(3, 2, 2), {"stride": 2}, (2, 4, 2, 6, 2)),
        (Conv2D(3, 2, padding=((3, 3), (0, 0)), dilation=3, groups=1), {"padding": (3, 0), "dilation": 3}, (2, 2, 5, 2)),
        (Conv1D(4, 3), {"padding": 1}, (2, 7, 3)),
        (Conv1D(6, 4, 3, ((3, 3),), 2, groups=2), {"stride": 3, "padding": 3, "dilation": 2, "groups": 2}, (2, 11, 4)),
        (Conv1D(5, 1, use_bias=False), {}, (3, 4, 2)),
        (Conv3D(4, 3), {"padding": 1}, (2, 3, 5, 4, 3)),
        (
            Conv3D(6, (3, 1, 2), (2, 1, 3), ((2, 2), (1, 1), (0, 0)), (2, 1, 1), groups=3),
            {"stride": (2, 1, 3), "padding": (2, 1, 0), "dilation": (2, 1, 1), "groups": 3},
            (2, 6, 3, 8, 3),
        ),
        (Conv3D(2, 2, padding=((2, 2),) * 3), {"padding": 2}, (1, 2, 3, 2, 2)),
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


GROUPS = [
    (Conv2D(6, 3, groups=6), {"padding": 1, "groups": 6}, (2, 5, 4, 6)),
    (Conv2D(8, (2, 3), (2, 3), "VALID", groups=4), {"stride": (2, 3), "groups": 4}, (3, 7, 8, 4)),
    (Conv2D(4, 3, 2, ((1, 1), (3, 3)), 2, 4), {"stride": 2, "padding": (1, 3), "dilation": 2, "groups": 4}, (2, 6, 8, 4)),
    (Conv1D(3, 4, 2, "VALID", groups=3), {"stride": 2, "groups": 3}, (2, 9, 3)),
    (Conv3D(4, (1, 2, 3), (2, 1, 2), "VALID", groups=2), {"stride": (2, 1, 2), "groups": 2}, (2, 3, 4, 6, 2)),
    (Conv2D(64, 3, groups=2), {"padding": 1, "groups": 2}, (1, 3, 3, 64)),  # groups wide enough to run by themselves
    (Conv2D(48, 1, groups=6), {"groups": 6}, (2, 3, 3, 48)),  # narrow ones run 6 together
    (Conv2D(80, 3, groups=10), {"padding": 1, "groups": 10}, (1, 3, 3, 80)),  # and 5 of them twice
    (
        Conv2D(12, 3, 2, ((1, 1), (2, 2)), groups=4),
        {"stride": 2, "padding": (1, 2), "groups": 4},
        (2, 6, 5, 16),
    ),  # few
]


@pytest.mark.oracle
@pytest.mark.parametrize(("layer", "options", "shape"), GROUPS)
def test_groups_agree_with_torch(torch, layer, options, shape):
    against_torch(torch, layer, conv_oracle(torch, **options), normal(sum(shape), *shape), seed=shape[1])


@pytest.mark.parametrize(("layer", "options", "shape"), [*GROUPS[:5], (Conv3D(2, 2, 2, groups=1), {}, (1, 3, 4, 3, 2))])
def test_other_back_ends_convolve_natively_to_the_same_effect(monkeypatch, layer, options, shape):
    x = normal(0, *shape)
    params, _ = random_variables(layer, x)
    here = jax.jit(layer.forward)(params, x)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert_close(jax.jit(lambda params, x: layer.forward(params, x))(params, x), here, 1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(Conv2D(2, (2, 3), strides=2), (1, 4, 5, 2)), (Conv2D(4, 2, 2, groups=2, padding=((1, 0), (0, 2))), (1, 4, 5, 2))],
)
def test_gradients_agree_with_finite_differences(layer, shape):
    against_finite_differences(layer, normal(1, *shape))


def test_depthwise_convolution_has_second_derivatives():
    layer, x = Conv1D(2, 3, groups=2), normal(0, 1, 5, 2)
    params, _ = random_variables(layer, x)

    with jax.enable_x64(True):
        wide, x = jax.tree.map(lambda p: jnp.asarray(p, jnp.float64), (params, x))
        slope = jax.jit(jax.grad(lambda kernel: jnp.sum(layer.forward({**wide, "kernel": kernel}, x) ** 3)))
        check_grads(slope, (wide["kernel"],), order=1, modes=("rev",), atol=1e-5, rtol=1e-5, eps=1e-5)


def test_a_pair_pads_the_one_axis_of_a_sequence():
    causal = Conv1D(1, 3, padding=(2, 0), use_bias=False)
    assert causal.padding == (2, 0) and Conv1D(1, 3, padding=((2, 0),)).padding == ((2, 0),)
    y = causal.forward({"kernel": jnp.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)}, jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1))
    assert y.ravel().tolist() == [100.0, 210.0, 321.0]


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
    ("layer", "options"),
    [
        (Conv1D, {"kernel_size": (3, 3)}),
        (Conv1D, {"kernel_size": 3, "padding": ((1, 1), (1, 1))}),
        (Conv3D, {"kernel_size": 3, "padding": (1, 1)}),
        (Conv3D, {"kernel_size": 3, "strides": (1, 1)}),
    ],
)
def test_sizes_for_another_number_of_axes_are_refused(layer, options):
    with pytest.raises(ConfigError, match=list(options)[-1]):
        layer(4, **options)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (Conv2D(4, 3), (2, 7, 3), "batch, height, width, channels"),
        (Conv1D(4, 3), (2, 7, 3, 3), "batch, length, channels"),
        (Conv3D(4, 3), (2, 7, 3), "batch, depth, height, width, channels"),
        (Conv1D(4, 3, groups=2), (2, 7, 3), "Conv1D got 3 input channels"),
        (Conv3D(4, 5, padding="VALID"), (2, 9, 4, 9, 3), "does not fit"),
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
