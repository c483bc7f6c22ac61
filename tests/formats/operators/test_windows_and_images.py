"""Operators on images and sequences: gradients, ties, dropout, batch statistics and what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.test_util import check_grads
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError, ShapeError, ZerfooError
from zerfoo_jax.formats.operators import function_of
from zerfoo_jax.formats.operators.call import call
from zerfoo_jax.formats.operators.windows import windows

random = np.random.default_rng(4)


def normal(*shape: int) -> np.ndarray:
    return random.normal(size=shape)


def run(op_type: str, *inputs: Any, version: int = 25, domain: str = "", mode: dict[str, Any] | None = None, **attributes: Any):
    outputs = call(function_of(op_type, domain, version), op_type, inputs, attributes, **{"outputs": 1, **(mode or {})})
    return outputs if len(outputs) > 1 else outputs[0]


mask = np.where(np.tri(5, 5, 1) > 0, 0.0, -np.inf)
GRADIENTS: dict[str, tuple[list[np.ndarray], list[Any], dict[str, Any]]] = {
    "ConvTranspose": ([normal(1, 2, 4, 3), normal(2, 2, 3, 2)], [], {"strides": (2, 1), "pads": (1, 0, 1, 1)}),
    "MaxPool": ([normal(1, 2, 6, 5)], [], {"kernel_shape": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1)}),
    "Resize": ([normal(1, 1, 4, 3)], [None, np.float32([1, 1, 1.5, 0.7])], {"mode": "linear"}),
}
SLOW_GRADIENTS: dict[str, tuple[list[np.ndarray], list[Any], dict[str, Any]]] = {
    "Attention": ([normal(1, 4, 5, 2), normal(1, 2, 5, 2), normal(1, 2, 5, 3)], [mask], {"softcap": 2.0}),
    "AveragePool": ([normal(1, 2, 6, 5)], [], {"kernel_shape": (3, 5), "pads": (1, 0, 1, 0), "dilations": (2, 1)}),
    "BatchNormalization": ([normal(3, 2, 4), normal(2), normal(2)], [np.zeros(2), np.ones(2)], {"training_mode": 1}),
    "GRU": ([normal(4, 2, 2), normal(1, 6, 2), normal(1, 6, 2), normal(1, 12)], [np.array([4, 2], np.int32)], {}),
    "GridSample": ([normal(1, 2, 4, 5), normal(1, 2, 3, 2) / 2], [], {"mode": "cubic"}),
    "LayerNormalization": ([normal(2, 3, 4), normal(4), normal(4)], [], {}),
    "LpPool": ([normal(1, 2, 6)], [], {"kernel_shape": (3,), "p": 3}),
}


def check_gradients(op_type: str, inputs: list[np.ndarray], further: list[Any], attributes: dict[str, Any]) -> None:
    @jax.jit
    def output(*xs):
        return call(function_of(op_type, "", 24), op_type, [*xs, *further], attributes, outputs=1)[0]

    with jax.enable_x64(True):
        check_grads(output, inputs, order=1, modes=("rev",), atol=1e-5, rtol=1e-5, eps=1e-6)


@pytest.mark.parametrize("op_type", GRADIENTS)
def test_gradients_are_those_of_the_outputs(op_type):
    check_gradients(op_type, *GRADIENTS[op_type])


@pytest.mark.slow
@pytest.mark.parametrize("op_type", SLOW_GRADIENTS)
def test_more_gradients_are_those_of_the_outputs(op_type):
    check_gradients(op_type, *SLOW_GRADIENTS[op_type])


@pytest.mark.oracle
def test_among_equals_the_first_gets_the_gradient(torch):
    x = np.maximum(np.round(random.normal(size=(2, 3, 9, 8))), 0).astype(np.float32)
    g = random.normal(size=(2, 3, 5, 4)).astype(np.float32)
    leaf = torch.tensor(x, requires_grad=True)
    y, places = torch.nn.functional.max_pool2d(leaf, 3, 2, 1, return_indices=True)
    y.backward(torch.tensor(g))
    attributes = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}

    @jax.jit
    def both(x, g):
        y, pull = jax.vjp(lambda x: run("MaxPool", x, **attributes), x)
        return y, pull(g)[0], run("MaxPool", x, mode={"outputs": 2}, **attributes)

    own, gradient, (again, indices) = both(x, g)
    for found, expected in [(own, y.detach()), (again, y.detach()), (gradient, leaf.grad)]:
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    inner = np.asarray(indices).reshape(6, -1) - np.arange(6)[:, None] * 72
    np.testing.assert_array_equal(inner, places.reshape(6, -1))


def test_dropout_drops_in_training_only_and_where_the_file_says_so():
    x, ratio, key = jnp.ones((1000,)), np.array(0.25, np.float32), jax.random.key(0)
    training = {"train": True, "key": key}
    y, kept = run("Dropout", x, ratio, np.array(True), mode=training, version=13)
    assert set(np.unique(y).tolist()) == {0.0, float(np.float32(1) / np.float32(0.75))}
    assert abs(float(kept.mean()) - 0.75) < 0.05
    for inputs, mode in [((x, ratio, np.array(True)), {}), ((x, ratio, np.array(False)), training), ((x, ratio), training)]:
        assert run("Dropout", *inputs, mode=mode, version=13)[0] is x
    assert float(run("Dropout", x, mode=training, version=7, ratio=0.5)[0].max()) == 2
    with pytest.raises(ConfigError, match="needs a random key"):
        run("Dropout", x, mode={"train": True}, version=7)


def test_half_precision_stays_and_is_summed_in_float32():
    x = jnp.full((1, 1, 32, 32), 100.0, jnp.float16)
    outputs = [run("GlobalAveragePool", x), run("AveragePool", x, kernel_shape=(32, 32))]
    assert [(y.dtype, float(y[0, 0, 0, 0])) for y in outputs] == [(jnp.float16, 100.0)] * 2
    for op_type in ("Softmax", "Gelu", "HardSwish"):
        assert jax.eval_shape(lambda x, op_type=op_type: run(op_type, x), x).dtype == jnp.float16


x, one = jnp.ones((1, 2, 5, 5)), jnp.ones((1, 1, 1))
REFUSED: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], str]] = {
    "padding of terabytes": ("MaxPool", (x,), {"kernel_shape": (2, 2), "pads": (2**40, 0, 0, 0)}, "over the limit"),
    "millions of taps": ("AveragePool", (x,), {"kernel_shape": (2**20, 1), "pads": (2**20, 0, 0, 0)}, "over the limit"),
    "windows of nothing": ("MaxPool", (x,), {"kernel_shape": (0, 2)}, "at least 1"),
    "windows larger than the image": ("MaxPool", (x,), {"kernel_shape": (6, 2)}, "does not fit"),
    "strides of nothing": ("Conv", (x, jnp.ones((1, 2, 3, 3))), {"strides": (0, 1)}, "at least 1"),
    "an unknown padding": ("Conv", (x, jnp.ones((1, 2, 3, 3))), {"auto_pad": "SOME"}, "no auto_pad"),
    "channels that do not fit": ("Conv", (x, jnp.ones((1, 3, 3, 3))), {}, "3 channels"),
    "an output of terabytes": ("ConvTranspose", (x, jnp.ones((2, 1, 1, 1))), {"strides": (2**20, 2**20)}, "over the limit"),
    "a scale of billions": ("Resize", (x, None, np.float32([1, 1, 1e9, 1])), {}, "over the limit"),
    "a scale that is no number": ("Resize", (x, None, np.float32([1, 1, np.nan, 1])), {}, "above 0"),
    "sizes for other axes": ("Resize", (x, None, None, np.array([3])), {}, "one size for each"),
    "a grid for other axes": ("GridSample", (x, jnp.ones((1, 2, 2, 3))), {}, "cannot use a grid"),
    "heads that cannot share": ("Attention", (x, jnp.ones((1, 3, 5, 5)), x), {}, "cannot share"),
    "an activation of gates": (
        "RNN",
        (jnp.ones((2, 1, 1)),) * 1 + (jnp.ones((1, 1, 1)),) * 2,
        {"activations": ("Sine",)},
        "Sine",
    ),
    "a window of terabytes": ("HannWindow", (np.array(2**40),), {}, "over the limit"),
    "regions of terabytes": ("RoiAlign", (x, np.float32([[0, 0, 1e9, 1e9]]), np.array([0])), {}, "over the limit"),
    "regions that are not known": ("RoiAlign", (x, jnp.ones((1, 4)), jnp.zeros(1, jnp.int32)), {}, "before the model runs"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused(what):
    op_type, inputs, attributes, said = REFUSED[what]
    with pytest.raises(ZerfooError, match=said) as caught:
        run(op_type, *inputs, **attributes)
    assert isinstance(caught.value, FormatError | ShapeError)


def test_batches_may_be_empty():
    none = jnp.zeros((0, 2, 5, 5))
    cases: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "BatchNormalization": ((none, *[jnp.ones(2)] * 4), {}),
        "Conv": ((none, jnp.ones((2, 2, 1, 1))), {}),
        "GridSample": ((none, jnp.zeros((0, 5, 5, 2))), {}),
        "MaxPool": ((none,), {"kernel_shape": (1, 1)}),
        "Resize": ((none, None, np.float32([1, 1, 1, 1])), {}),
    }
    for op_type, (inputs, attributes) in cases.items():
        assert jax.eval_shape(lambda: run(op_type, *inputs, **attributes)).shape == none.shape  # noqa: B023


def test_same_padding_shares_out_what_is_missing():
    assert windows((5, 6), (3, 3), (2, 2), auto_pad="SAME_UPPER").edges == ((1, 1), (0, 1))
    assert windows((5, 6), (3, 3), (2, 2), auto_pad="SAME_LOWER").edges == ((1, 1), (1, 0))
    assert windows((4,), (2,), (3,), ceil_mode=1).counts((4,)) == (2,)
