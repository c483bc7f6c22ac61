"""What JAX functions become, run by ONNX Runtime."""

from functools import partial

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from tests.support.onnx_files import run_graph
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering import graph_of_function

X = normal(0, 5, 4)
IMAGE = normal(1, 5, 6, 7, 4)
ROWS = np.array([3, 0, 2, 2, 1], np.int32)
WIDE = np.array([-1, 0, 9, 2, -7], np.int32)
BOOLS = X > 0
POSITIVE = np.abs(X) + 0.1
UNIT = np.tanh(X)
COUNTS = np.arange(20, dtype=np.int32).reshape(5, 4) - 7
BYTES = COUNTS.astype(np.int8)

ONE_INPUT = {
    "abs": (jnp.abs, X),
    "acosh": (jnp.arccosh, 1 + POSITIVE),
    "argmin": (partial(jnp.argmin, axis=1), X),
    "argmax of bools": (partial(jnp.argmax, axis=0), BOOLS),
    "asin": (jnp.arcsin, UNIT),
    "atanh": (jnp.arctanh, 0.9 * UNIT),
    "average of windows": (
        lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 3, 1), (1, 2, 1, 1), ((0, 0), (1, 0), (0, 2), (0, 0))),
        IMAGE,
    ),
    "bytes wrap": (lambda x: x + x, COUNTS.astype(np.uint8)),
    "bool sum": (lambda x: jnp.sum(x, axis=1), BOOLS),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None], (x.shape[0], 3, 4)) * 1, X),
    "cbrt": (jnp.cbrt, X),
    "composite": (lax.composite(jnp.sin, "my.sin"), X),
    "ceil, floor, round, trunc": (lambda x: (jnp.ceil(x), jnp.floor(x), jnp.round(2 * x), jnp.trunc(x)), 3 * X),
    "clip": (partial(jnp.clip, min=-0.5, max=0.7), X),
    "cond": (lambda x: lax.cond(x.sum() > 0, lambda x: x + 1, lambda x: x * x.mean(), x), X),
    "cond of neither": (lambda x: lax.cond(x.sum() > 1e9, jnp.cos, jnp.sin, x), X),
    "constants alone": (lambda x: jnp.arange(3.0), X),
    "cummax backwards": (lambda x: lax.cummax(x, axis=1, reverse=True), X),
    "cumprod": (partial(jnp.cumprod, axis=1), X),
    "cumsum": (lambda x: (jnp.cumsum(x, axis=0), lax.cumsum(x, axis=1, reverse=True)), X),
    "cumulative logsumexp": (lambda x: lax.cumlogsumexp(x, axis=1), X),
    "cummin of integers": (lambda x: lax.cummin(x, axis=1), COUNTS),
    "diagonal": (lambda x: jnp.diagonal(x[:, :, None] * x[:, None], axis1=1, axis2=2), X),
    "einsum": (lambda x: jnp.einsum("bhwc,bhvc->bwvh", x, x), IMAGE),
    "einsum over two axes": (lambda x: jnp.einsum("bhwc,dhwe->bdec", x, x[:2]), IMAGE),
    "erf, erfc, exp2, expm1": (lambda x: (lax.erf(x), lax.erfc(x), jnp.exp2(x), jnp.expm1(x)), X),
    "expanded and squeezed": (lambda x: jnp.squeeze(jnp.expand_dims(x, (0, 3)), 0) + 1, X),
    "flip": (lambda x: jnp.flip(x, (0, 1)), X),
    "fori": (lambda x: lax.fori_loop(0, 5, lambda i, y: y * 0.5 + i.astype(jnp.float32), x), X),
    "gelu": (lambda x: (jax.nn.gelu(x), jax.nn.gelu(x, approximate=False)), 5 * X),
    "identity": (lambda x: x, X),
    "integers": (lambda x: (x // 3, x % 3, lax.rem(x, np.int32(3)), abs(x), -x, jnp.sign(x), x**3), COUNTS),
    "bits as other types": (lambda x: lax.bitcast_convert_type(x, jnp.uint8), BYTES),
    "rounded to bfloat16": (lambda x: lax.reduce_precision(x, 8, 7), X),
    "bits": (lambda x: (x & 5, x | 9, x ^ 3, ~x, x << 2, x >> 1), COUNTS),
    "bytes as integers": (lambda x: jnp.matmul(x, x.T, preferred_element_type=jnp.int32), BYTES),
    "is finite": (lambda x: (jnp.isfinite(x / 0), jnp.isnan(x - jnp.inf)), X),
    "logarithms": (lambda x: (jnp.log(x), jnp.log1p(x), jnp.log2(x)), POSITIVE),
    "logsumexp": (lambda x: jax.nn.logsumexp(x, axis=1), X),
    "log softmax": (lambda x: jax.nn.log_softmax(x, axis=0), X),
    "looking up rows": (lambda x: x[np.array([2, 0, 1], np.int32)], X),
    "matrix times vector": (lambda x: x @ jnp.arange(4.0), X),
    "maximum of bools": (lambda x: (jnp.maximum(x, ~x), x.max(axis=1), x.all(), x.any(axis=0)), BOOLS),
    "maximum of windows": (
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 1, 2, 1), ((0, 0), (2, 1), (0, 0), (0, 0))),
        IMAGE,
    ),
    "minimum of windows": (
        lambda x: lax.reduce_window(x, np.inf, lax.min, (1, 2, 2, 1), (1, 1, 1, 1), "VALID", window_dilation=(1, 2, 1, 1)),
        IMAGE,
    ),
    "nan where": (lambda x: jnp.where(x > 0, x, jnp.nan), X),
    "norm": (lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True), X),
    "one hot": (lambda x: jax.nn.one_hot(x, 4), ROWS),
    "padding": (lambda x: lax.pad(x, 2.0, ((0, 0, 0), (1, -2, 2))), X),
    "places in what is sorted": (lambda x: jnp.searchsorted(jnp.array([-1.0, 0.5, jnp.nan]), x), np.float32([0, 3, np.nan])),
    "places behind what is sorted": (lambda x: jnp.digitize(x, jnp.array([-7, 0, 2])), COUNTS),
    "polynomial": (lambda x: jnp.polyval(jnp.array([0.5, -1.0, 2.0]), x), X),
    "powers": (lambda x: (x**2, x**3, x**-2, x**0.5, 2.0**x), POSITIVE),
    "product": (lambda x: jnp.prod(x, axis=1), X),
    "repeat": (lambda x: jnp.repeat(x, 3, axis=1), X),
    "reshape that merges the batch": (lambda x: x.reshape(-1) * 2, X),
    "reshape of sizes": (lambda x: x.reshape(2, 2, x.shape[0]).sum(0), X),
    "resize": (lambda x: jax.image.resize(x, (x.shape[0], 9, 5, 4), "linear"), IMAGE),
    "roll": (lambda x: jnp.roll(x, 1, axis=1), X),
    "scan": (lambda x: lax.scan(lambda c, r: (c * 0.5 + r, (c, r.sum())), jnp.zeros(4), x), X),
    "scan backwards": (lambda x: lax.scan(lambda c, r: (c + r, c * r), x[0], x, reverse=True), X),
    "size as a number": (lambda x: x.sum(0) / x.shape[0], X),
    "slices": (lambda x: (x[1:, ::2], x[::2, -1], x[:, 1:3]), X),
    "softplus, silu, selu": (lambda x: (jax.nn.softplus(x), jax.nn.silu(x), jax.nn.selu(x)), X),
    "sort": (lambda x: (jnp.sort(x, axis=1), jnp.sort(x, axis=0)), X),
    "argsort of equals": (lambda x: jnp.argsort(x % 3, axis=1), COUNTS),
    "split": (lambda x: jnp.split(x, [1, 3], axis=1), X),
    "squares": (lambda x: jnp.var(x, axis=(1, 2)), IMAGE),
    "unstacked": (lambda x: [*jnp.unstack(x, axis=1)], X),
    "tiles": (lambda x: jnp.tile(x, (2, 3)), X),
    "top k": (lambda x: lax.top_k(x, 3), X),
    "transposes": (lambda x: jnp.moveaxis(x, 3, 1).swapaxes(0, 2) + 1, IMAGE),
    "tril": (jnp.tril, normal(2, 5, 4, 4)),
    "trigonometry": (lambda x: (jnp.sin(x), jnp.cos(x), jnp.tan(x), jnp.sinh(x), jnp.cosh(x), jnp.arctan(x)), X),
    "vmapped slices": (lambda x: jax.vmap(lambda row, i: lax.dynamic_slice(row, (i,), (2,)))(x, jnp.arange(x.shape[0]) % 3), X),
    "while": (lambda x: lax.while_loop(lambda c: c[0].sum() < 50, lambda c: (c[0] * 2, c[1] + 1), (jnp.abs(x), 0)), X),
    "windows one axis": (lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2), (1, 1), "SAME"), X),
}  # fmt: skip

TWO_INPUTS = {
    "addition at": (lambda x, i: jnp.zeros((6, 4)).at[i].add(x), X, ROWS),
    "addition at places out of bounds": (lambda x, i: jnp.zeros((6, 4)).at[i].add(x), X, WIDE),
    "angles": (lambda y, x: jnp.arctan2(y, jnp.where(x > 1, 0.0, x)), X, normal(9, 5, 4)),
    "division": (lambda x, y: x / y, X, POSITIVE),
    "dynamic index": (lambda x, i: x[:, i[0]], X, ROWS),
    "dynamic slice": (lambda x, i: lax.dynamic_slice(x, (0, i[0], i[1]), (x.shape[0], 3, 2)), normal(3, 5, 6, 4), ROWS),
    "dynamic update": (lambda x, i: lax.dynamic_update_slice(x, jnp.ones((x.shape[0], 2)), (0, i[0])), X, ROWS),
    "dynamic update of two axes": (
        lambda x, i: lax.dynamic_update_slice(x, jnp.ones((x.shape[0], 2, 2)), (0, i[0], i[1])),
        normal(3, 5, 6, 4),
        ROWS,
    ),
    "elements along": (lambda x, i: jnp.take_along_axis(x, i[:, None], axis=1), X, ROWS),
    "elements out of bounds": (lambda x, i: x.at[0, i].get(mode="fill", fill_value=7.0), X, WIDE),
    "elements clipped": (lambda x, i: jnp.take(x, i, axis=1, mode="clip"), X, WIDE),
    "elements or NaN": (lambda x, i: jnp.take(x, i, axis=1), X, WIDE),
    "subtraction at": (lambda x, i: jnp.zeros((6, 4)).at[i].subtract(x), X, ROWS),
    "greatest at": (lambda x, i: jnp.zeros((6, 4)).at[i].max(x), X, ROWS),
    "pairs of indices": (lambda x, i: x[jnp.arange(x.shape[0]), i], X, ROWS),
    "put at": (lambda x, i: x.at[jnp.arange(x.shape[0]), i].set(1.0), X, ROWS),
    "put at places out of bounds": (lambda x, i: jnp.zeros((6, 4)).at[:, i].set(1.0, mode="drop"), X, WIDE),
    "remainder": (lambda x, y: (x % y, lax.rem(x, y)), X, POSITIVE),
    "select": (lambda x, i: lax.select_n(jnp.broadcast_to(i[:, None], x.shape) % 3, x, 2 * x, 3 * x), X, ROWS),
    "switch": (lambda x, i: lax.switch(i[0] % 3, [jnp.sin, jnp.cos, jnp.tanh], x), X, ROWS),
    "truth of bools": (lambda x, y: (x & y, x | y, x ^ y, ~x, jnp.where(x, y, x)), BOOLS, X < 0.5),
    "windows at places": (
        lambda x, i: jax.vmap(lambda r, k: lax.dynamic_update_slice(r, jnp.ones(2), (k,)))(x, i),
        X,
        ROWS,
    ),
}  # fmt: skip


def convolution(x, kernel, **options):
    return lax.conv_general_dilated(x, kernel, **{"window_strides": (1, 1), "padding": "VALID", **options})


CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
CONVOLUTIONS = {
    "one axis": (
        lambda x, k: lax.conv_general_dilated(x, k, (2,), ((1, 0),), dimension_numbers=("NWC", "WIO", "NCW")),
        normal(4, 5, 7, 4),
        normal(5, 3, 4, 6),
    ),
    "channels first": (convolution, normal(4, 5, 4, 6, 7), normal(5, 6, 4, 2, 3)),
    "groups, strides, dilation": (
        partial(
            convolution,
            dimension_numbers=CHANNELS_LAST,
            feature_group_count=2,
            window_strides=(2, 1),
            rhs_dilation=(1, 2),
            padding=((2, 1), (0, 3)),
        ),
        IMAGE,
        normal(5, 2, 3, 2, 6),
    ),
    "padding that cuts": (
        partial(convolution, dimension_numbers=CHANNELS_LAST, padding=((-1, 2), (0, -2))),
        IMAGE,
        normal(5, 2, 3, 4, 6),
    ),
    "transposed": (
        partial(convolution, dimension_numbers=CHANNELS_LAST, lhs_dilation=(2, 3), padding=((1, 2), (0, 3))),
        IMAGE,
        normal(5, 3, 4, 4, 6),
    ),
    "transposed, groups": (
        partial(
            convolution,
            dimension_numbers=CHANNELS_LAST,
            lhs_dilation=(2, 2),
            rhs_dilation=(1, 2),
            padding=((1, 1), (2, 2)),
            feature_group_count=2,
        ),
        IMAGE,
        normal(5, 3, 2, 2, 6),
    ),
    "transposed with strides": (
        partial(convolution, dimension_numbers=CHANNELS_LAST, lhs_dilation=(2, 3), window_strides=(3, 2), padding=[(4, 1)] * 2),
        IMAGE,
        normal(5, 3, 4, 4, 6),
    ),
    "three axes": (
        lambda x, k: lax.conv_general_dilated(x, k, (1, 2, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC")),
        normal(4, 5, 3, 4, 5, 2),
        normal(5, 2, 3, 2, 2, 3),
    ),
}  # fmt: skip


def check(function, *xs, parameters=None):
    """The graph, traced with a symbolic first size, gives what the function gives."""
    (batch,) = jax.export.symbolic_shape("batch")
    given = () if parameters is None else (parameters,)
    specs = [jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype) for x in xs]
    graph = graph_of_function(function, *specs, parameters=parameters)
    expected = jax.tree.leaves(jax.jit(function)(*given, *xs))
    found = run_graph(graph, xs)
    assert len(found) == len(expected)
    for actual, wanted in zip(found, expected, strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        if wanted.dtype == jnp.float32:
            np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted))
            assert_close(np.nan_to_num(actual), np.nan_to_num(wanted), 1e-5)
        else:
            np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("name", ONE_INPUT)
def test_functions_of_one_array(name):
    function, x = ONE_INPUT[name]
    check(function, x)


@pytest.mark.parametrize("name", TWO_INPUTS)
def test_functions_of_two_arrays(name):
    check(*TWO_INPUTS[name])


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_with_kernels_that_are_parameters(name):
    function, x, kernel = CONVOLUTIONS[name]
    check(lambda parameters, x: function(x, parameters["kernel"]), x, parameters={"kernel": kernel})


def test_several_symbolic_sizes():
    sizes = jax.export.symbolic_shape("batch, length")

    def function(x):
        y = x.reshape(x.shape[0] * x.shape[1], 2, 2).sum(-1).reshape(x.shape[0], x.shape[1], 2)
        return y + jnp.arange(x.shape[1], dtype=jnp.float32)[None, :, None], jnp.tile(x, (1, 2, 1))

    graph = graph_of_function(function, jax.ShapeDtypeStruct((*sizes, 4), jnp.float32))
    x = normal(0, 3, 5, 4)
    for actual, wanted in zip(run_graph(graph, [x]), function(x), strict=True):
        assert_close(actual, wanted, 1e-6)
    assert graph.inputs[0].shape == ("batch", "length", 4)


def test_what_no_operator_does_is_named_with_its_place():
    def function(x):
        with jax.named_scope("outer"), jax.named_scope("noise"):
            noise = jax.random.normal(jax.random.key(x.astype(jnp.int32).sum()), x.shape)
        with jax.named_scope("gamma"):
            return lax.lgamma(x) + noise

    with pytest.raises(FormatError) as raised:
        graph_of_function(function, jax.ShapeDtypeStruct((3,), jnp.float32))
    text = str(raised.value)
    assert "lgamma" in text and "at gamma" in text
    assert "random" in text and "outer/noise" in text


def test_what_nobody_needs_is_left_out():
    def function(parameters, x):
        noise = jax.random.normal(jax.random.key(0), x.shape) * parameters["unused"][None]
        del noise
        return x @ parameters["kernel"]

    parameters = {"kernel": normal(0, 3, 2), "unused": normal(1, 1)}
    graph = graph_of_function(function, jax.ShapeDtypeStruct((4, 3), jnp.float32), parameters=parameters)
    assert [node.op_type for node in graph.nodes] == ["MatMul"] and set(graph.parameters) == {"kernel"}


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: jax.nn.softmax(x, axis=1), ["Softmax"]),
        (lambda x: jax.nn.log_softmax(x, axis=1), ["LogSoftmax"]),
        (lambda x: jnp.mean(x, axis=0), ["ReduceMean", "Squeeze"]),
        (lambda x: jax.nn.gelu(x, approximate=False), ["Gelu"]),
        (jax.nn.relu, ["Relu"]),
        (lambda x: x.T.T + jnp.zeros((5, 4)), ["Identity"]),
    ],
)
def test_known_patterns_become_one_operator(function, wanted):
    graph = graph_of_function(function, jax.ShapeDtypeStruct((5, 4), jnp.float32))
    assert [node.op_type for node in graph.nodes] == wanted
