import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import Conv2D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D


def oracle(torch, **options):
    """Torch's transposed convolution on channels-last data and our kernel's layout."""
    groups = options.get("groups", 1)

    def run(params, x):
        axes = x.ndim - 2
        *taps, per_group, features = params["kernel"].shape
        # Ours is (*taps, in / groups, groups · rest), torch's (groups · in / groups, rest, *taps).
        kernel = params["kernel"].reshape(*taps, per_group, groups, features // groups)
        kernel = kernel.permute(axes + 1, axes, axes + 2, *range(axes)).reshape(-1, features // groups, *taps)
        transposed = getattr(torch.nn.functional, f"conv_transpose{axes}d")
        return transposed(x.movedim(-1, 1), kernel, params.get("bias"), **options).movedim(1, -1)

    return run


def even(*amounts):
    return tuple((n, n) for n in amounts)


CASES = [
    (ConvTranspose2D(4, 4, 2, even(1, 1)), {"stride": 2, "padding": 1}, (2, 5, 3, 3)),
    (ConvTranspose2D(3, 3, 2, even(1, 1), 1), {"stride": 2, "padding": 1, "output_padding": 1}, (2, 4, 5, 2)),
    (ConvTranspose2D(3, 2, 3, "VALID", (2, 1)), {"stride": 3, "output_padding": (2, 1)}, (2, 2, 3, 2)),
    (ConvTranspose2D(4, (3, 2), (1, 2), "VALID", use_bias=False), {"stride": (1, 2)}, (1, 4, 3, 3)),
    (ConvTranspose2D(2, 3, 1, even(1, 2)), {"padding": (1, 2)}, (2, 5, 6, 3)),
    (
        ConvTranspose2D(6, (2, 3), (3, 2), even(1, 4), (0, 1), (3, 2), groups=2),
        {"stride": (3, 2), "padding": (1, 4), "output_padding": (0, 1), "dilation": (3, 2), "groups": 2},
        (2, 3, 5, 4),
    ),
    (ConvTranspose2D(3, 3, 1, "VALID", dilation=2, groups=3), {"dilation": 2, "groups": 3}, (2, 4, 3, 3)),
    (ConvTranspose2D(2, 3, 2, even(3, 4)), {"stride": 2, "padding": (3, 4)}, (1, 5, 7, 2)),
    (
        ConvTranspose1D(4, 5, 3, (2, 2), 2, groups=2),
        {"stride": 3, "padding": 2, "output_padding": 2, "groups": 2},
        (2, 5, 4),
    ),
    (ConvTranspose1D(2, 1), {}, (2, 3, 3)),
    (
        ConvTranspose3D(3, (2, 3, 1), (1, 2, 3), even(1, 0, 0), (0, 1, 2)),
        {"stride": (1, 2, 3), "padding": (1, 0, 0), "output_padding": (0, 1, 2)},
        (2, 3, 2, 2, 2),
    ),
    (ConvTranspose1D(3, 3, 2, "VALID", 1, 3), {"stride": 2, "output_padding": 1, "dilation": 3}, (2, 4, 2)),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("layer", "options", "shape"), CASES)
def test_agrees_with_torch(torch, layer, options, shape):
    against_torch(torch, layer, oracle(torch, **options), normal(sum(shape), *shape), seed=shape[1])


@pytest.mark.parametrize(("layer", "options", "shape"), [case for case in CASES if case[0].groups == 1])
def test_other_back_ends_convolve_phases_to_the_same_effect(monkeypatch, layer, options, shape):
    x = normal(0, *shape)
    params, _ = random_variables(layer, x)
    here = jax.jit(layer.forward)(params, x)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert_close(jax.jit(lambda params, x: layer.forward(params, x))(params, x), here, 1e-5)


@pytest.mark.parametrize(("kernel_size", "strides"), [((3, 4), (2, 2)), ((1, 5), (3, 1)), ((2, 3), (4, 3))])
def test_with_same_padding_it_is_the_transpose_of_the_same_convolution(kernel_size, strides):
    up = ConvTranspose2D(2, kernel_size, strides, use_bias=False)
    x = normal(0, 1, 3, 2, 4)
    params, _ = random_variables(up, x)
    y = np.asarray(up.forward(params, x))
    assert y.shape == (1, 3 * strides[0], 2 * strides[1], 2)
    down = Conv2D(4, kernel_size, strides, use_bias=False)
    z = normal(1, *y.shape)
    back = np.asarray(down.forward({"kernel": params["kernel"].swapaxes(2, 3)}, z))
    assert back.shape == x.shape
    np.testing.assert_allclose((y * z).sum(), (x * back).sum(), rtol=1e-4)


def test_uneven_padding_cuts_the_named_ends():
    kernel = jnp.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    x = jnp.array([1.0, 2.0]).reshape(1, 2, 1)

    def run(padding):
        return ConvTranspose1D(1, 3, padding=padding, use_bias=False).forward({"kernel": kernel}, x).ravel().tolist()

    assert run("VALID") == [1.0, 12.0, 120.0, 200.0]
    assert run((1, 0)) == [12.0, 120.0, 200.0]
    assert run((0, 2)) == [1.0, 12.0]


def test_gradients_agree_with_finite_differences():
    against_finite_differences(ConvTranspose2D(2, (3, 2), 2, groups=2), normal(1, 1, 3, 2, 2))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": 4, "kernel_size": 3, "groups": 3}, "groups = 3"),
        ({"features": 4, "kernel_size": 3, "output_padding": 1}, "output_padding = 1"),
        ({"features": 4, "kernel_size": 3, "output_padding": -1}, "output_padding = -1"),
        ({"features": 4, "kernel_size": (3, 3, 3)}, "kernel_size"),
    ],
)
def test_bad_options_are_refused_by_name(options, words):
    with pytest.raises(ConfigError, match=words):
        ConvTranspose2D(**options)


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (ConvTranspose2D(4, 3), (2, 7, 3), "batch, height, width, channels"),
        (ConvTranspose1D(4, 3, groups=2), (2, 7, 3), "ConvTranspose1D got 3 input channels"),
        (ConvTranspose1D(4, 3, padding=(2, 2)), (2, 2, 3), "leaves no output"),
    ],
)
def test_bad_inputs_are_refused_at_init(key, layer, shape, words):
    with pytest.raises(ShapeError, match=words):
        layer.init(key, jax.ShapeDtypeStruct(shape, jnp.float32))
