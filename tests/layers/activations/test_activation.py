import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import ACTIVATIONS, Activation, PReLU
from zerfoo_jax.layers.activations.activation import activation

# The kinks of all functions, values around them, and values whose squares, cubes or exponentials overflow.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 2.5, -2.5, 20.0, -20.0, 100.0, -100.0, 1e4, -1e4, 1e20, -1e20]
X = np.concatenate([np.array(SPECIAL, np.float32), 3 * normal(0, 47)]).reshape(4, 16)

OPTIONS = {
    "celu": {"alpha": 1.7},
    "elu": {"alpha": 0.6},
    "hard_tanh": {"low": -0.4, "high": 2.5},
    "leaky_relu": {"negative_slope": 0.23},
    "log_softmax": {"axis": 0},
    "prelu": {"slope": -0.4},
    "softmax": {"axis": 0},
    "softplus": {"beta": 1.9},
}


def oracles(torch):
    F = torch.nn.functional
    return {
        "celu": F.celu,
        "elu": F.elu,
        "fast_gelu": lambda x: F.gelu(x, approximate="tanh"),
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "hard_sigmoid": F.hardsigmoid,
        "hard_swish": F.hardswish,
        "hard_tanh": lambda x, low=-1.0, high=1.0: F.hardtanh(x, low, high),
        "leaky_relu": F.leaky_relu,
        "linear": lambda x: x,
        "log_softmax": lambda x, axis=-1: F.log_softmax(x, axis),
        "mish": F.mish,
        "prelu": lambda x, slope=0.25: F.prelu(x, torch.tensor(slope)),
        "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
        "relu": F.relu,
        "relu6": F.relu6,
        "scaled_relu": lambda x: F.relu(1.1 * x),
        "selu": F.selu,
        "sigmoid": torch.sigmoid,
        "silu": F.silu,
        "softmax": lambda x, axis=-1: F.softmax(x, axis),
        "softplus": F.softplus,
        "softsign": F.softsign,
        "squared_relu": lambda x: F.relu(x) ** 2,
        "swish": F.silu,
        "tanh": torch.tanh,
    }


@pytest.mark.oracle
def test_every_function_agrees_with_torch_in_value_and_gradient(torch):
    assert sorted(oracles(torch)) == sorted(ACTIVATIONS)
    cases = {name: (name, {}) for name in ACTIVATIONS} | {f"{name} {o}": (name, o) for name, o in OPTIONS.items()}
    x, cotangent = np.clip(X, -1e4, 1e4), normal(1, *X.shape)

    def value_and_gradient(spec):
        y, pull = jax.vjp(activation(spec), x)
        return y, pull(cotangent)[0]

    ours = jax.jit(lambda: {case: value_and_gradient({"name": name, **o}) for case, (name, o) in cases.items()})()
    for case, (name, options) in cases.items():
        given = torch.tensor(x, requires_grad=True)
        expected = oracles(torch)[name](given, **options)
        expected.backward(torch.tensor(cotangent))
        np.testing.assert_allclose(ours[case][0], expected.detach(), rtol=1e-5, atol=2e-6, err_msg=case)
        np.testing.assert_allclose(ours[case][1], given.grad, rtol=1e-4, atol=2e-6, err_msg=f"gradient of {case}")


def test_nan_stays_and_an_infinity_gives_the_limit_or_nan():
    """An infinity times a gate of 0 is NaN, as elsewhere in the field; no other number may come of it."""
    x = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30], np.float32)
    pointwise = sorted(set(ACTIVATIONS) - {"softmax", "log_softmax"})
    found = jax.jit(lambda: {name: activation(name)(x) for name in pointwise})()
    for name, y in found.items():
        limits = [np.copysign(np.inf, far) if abs(far) > 1e20 else far for far in y[3:]]
        assert np.isnan(y[2]) and (np.isnan(y[:2]) | (y[:2] == np.array(limits))).all(), (name, y)


def test_values_and_gradients_stay_finite_for_large_inputs():
    smooth = sorted(set(ACTIVATIONS) - {"squared_relu"})  # a square may overflow

    @jax.jit
    def run(x):
        return {name: jax.value_and_grad(lambda x, name=name: jnp.sum(activation(name)(x)))(x) for name in smooth}

    for name, (value, gradient) in run(X).items():
        assert np.isfinite(value) and np.isfinite(gradient).all(), name


def test_half_precision_stays_and_agrees_with_float32():
    x = jnp.asarray(np.clip(X, -20, 20), jnp.bfloat16)

    @jax.jit
    def run(x):
        return {name: activation(name)(x) for name in ACTIVATIONS}

    wide = run(x.astype(jnp.float32))
    for name, y in run(x).items():
        assert y.dtype == jnp.bfloat16
        np.testing.assert_allclose(y.astype(jnp.float32), wide[name], rtol=0.02, atol=0.05, err_msg=name)


def test_softmax_of_many_half_precision_logits_sums_to_one():
    y = activation("softmax")(jnp.zeros((1, 4096), jnp.bfloat16))
    assert float(jnp.sum(y.astype(jnp.float32))) == 1.0


@pytest.mark.oracle
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_prelu_agrees_with_torch(torch, shape, per_channel):
    def oracle(p, x):
        return torch.nn.functional.prelu(x.movedim(-1, 1), p["slope"]).movedim(1, -1)

    x = normal(0, *shape)
    x.flat[0] = 0
    against_torch(torch, PReLU(per_channel), oracle, x, seed=len(shape))


def test_prelu_gradients_agree_with_finite_differences():
    against_finite_differences(PReLU(per_channel=True), normal(0, 3, 4))


def test_prelu_starts_with_the_slope_of_its_initializer(key):
    x = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    assert PReLU().init(key, x)[0]["slope"].tolist() == [0.25]
    layer = PReLU(per_channel=True, slope_init={"name": "constant", "value": 0.5})
    assert layer.init(key, x)[0]["slope"].tolist() == [0.5] * 3


def test_the_layer_applies_the_function_with_its_options():
    layer = Activation({"name": "hard_sigmoid", "slope": 0.2})  # ONNX's default
    assert_close(layer.forward({}, jnp.array([-3.0, -1.0, 0.0, 9.0])), [0, 0.3, 0.5, 1], 1e-6)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("sillu", "silu"),
        ({"name": "relu", "alpha": 1.0}, "no option 'alpha'"),
        ({"name": "softplus", "beta": 0.0}, "beta = 0"),
        ({"name": "elu", "alpha": "x"}, "alpha = 'x'"),
    ],
)
def test_bad_functions_and_options_are_refused(function, words):
    with pytest.raises(ConfigError, match=words):
        Activation(function)


@pytest.mark.parametrize("layer", [Activation("relu"), PReLU()])
def test_integer_inputs_are_refused(key, layer):
    with pytest.raises(ShapeError, match="int32"):
        layer.init(key, jax.ShapeDtypeStruct((2,), jnp.int32))
