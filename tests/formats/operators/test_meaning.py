"""What operators do where neither ONNX's own tests nor onnxruntime can say it: narrow dtypes, random numbers, known values."""

from typing import Any

import jax
from jax import export
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from tests.support.onnx_operators import ours
from zerfoo_jax.core.errors import FormatError, ShapeError, ZerfooError
from zerfoo_jax.formats.operators import function_of
from zerfoo_jax.formats.operators.call import call
from zerfoo_jax.formats.operators.data_types import NUMBERS


def traced(op_type: str, inputs: list[Any], attributes: dict[str, Any] | None = None) -> jax.Array:
    """The first output, computed within a compiled function of the first input."""
    function = function_of(op_type, "", 28)
    return jax.jit(lambda x: call(function, op_type, [x, *inputs[1:]], attributes or {}, outputs=1)[0])(inputs[0])


def test_what_is_computed_from_shapes_stays_known() -> None:
    def halves(x: jax.Array) -> Any:
        shape = call(function_of("Shape", "", 28), "Shape", [x], {})[0]
        rows = call(function_of("Gather", "", 28), "Gather", [shape, np.array(0)], {})[0]
        half = call(function_of("Div", "", 28), "Div", [rows, np.array(2)], {})[0]
        sizes = call(function_of("Unsqueeze", "", 28), "Unsqueeze", [half, np.array([0])], {})[0]
        wanted = call(function_of("Concat", "", 28), "Concat", [sizes, np.array([-1])], {"axis": 0})[0]
        assert isinstance(wanted, np.ndarray) and wanted.dtype == np.int64
        return call(function_of("Reshape", "", 28), "Reshape", [x, wanted], {})[0]

    assert jax.jit(halves)(jnp.ones((6, 4))).shape == (3, 8)


def test_a_shape_that_depends_on_values_is_refused_in_words() -> None:
    with pytest.raises(ShapeError, match="Reshape needs its input 'shape' before the model runs"):
        jax.jit(lambda shape: call(function_of("Reshape", "", 28), "Reshape", [np.ones(4), shape], {}))(jnp.array([2, 2]))


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceMean", "ReduceL2", "CumSum"])
def test_sums_of_half_precision_are_taken_in_float32(op_type: str) -> None:
    x = np.full(4096, 2.5, np.float16)
    exact = {"ReduceSum": 10240, "ReduceMean": 2.5, "ReduceL2": 160, "CumSum": 10240}[op_type]
    total = np.asarray(ours(op_type, 28, [x, np.array(0)], {})[0])
    assert total.dtype == np.float16 and total[-1] == exact


def test_integer_sums_are_exact_beyond_what_float32_holds() -> None:
    random = np.random.default_rng(0)
    x, w = random.integers(250, 256, (40, 301)).astype(np.uint8), random.integers(250, 256, (3, 301)).astype(np.uint8)
    exact = x.astype(np.int64) @ w.T.astype(np.int64)
    assert exact.min() > 2**24
    for rows in (2, 40):  # few rows take another way than many
        np.testing.assert_array_equal(traced("MatMulInteger", [x[:rows], w.T]), exact[:rows])
    images, kernels = x[..., None, None], w[..., None, None]
    np.testing.assert_array_equal(traced("ConvInteger", [images, kernels])[..., 0, 0], exact)


def test_shifts_of_signed_integers() -> None:
    x, amounts = np.array([-8, -8, -8, 8, 8], np.int8), np.array([1, 8, -1, 9, 2], np.int8)
    assert ours("BitShift", 28, [x, amounts], {"direction": "RIGHT"})[0].tolist() == [-4, -1, -1, 0, 2]
    assert ours("BitShift", 28, [x, amounts], {"direction": "LEFT"})[0].tolist() == [-16, 0, 0, 0, 32]


def test_powers_of_two_are_rounded_as_asked() -> None:
    x = np.array([1.0, 1.25, 1.5, 3.5], np.float32)
    for mode, expected in {"up": [1, 2, 2, 4], "down": [1, 1, 1, 2], "nearest": [1, 1, 2, 4]}.items():
        attributes = {"to": NUMBERS["float8_e8m0fnu"], "round_mode": mode}
        np.testing.assert_array_equal(traced("Cast", [x], attributes).astype(jnp.float32), expected)


def test_float64_is_a_dtype_of_traced_arrays_too() -> None:
    with jax.enable_x64(True):
        assert traced("Cast", [np.float32([1.5])], {"to": NUMBERS["float64"]}).dtype == jnp.float64


def test_six_bit_floats_are_known_values_only() -> None:
    x = np.array([0.3, 9.0, -1.1], np.float32)
    found = ours("Cast", 28, [x], {"to": NUMBERS["float6_e2m3fn"]})[0]
    np.testing.assert_array_equal(found.astype(np.float32), x.astype(ml_dtypes.float6_e2m3fn).astype(np.float32))


def test_texts_become_numbers_and_numbers_texts() -> None:
    assert ours("Cast", 28, [np.array(["9007199254740993", "2e3"], object)], {"to": NUMBERS["int64"]})[0].tolist() == [
        9007199254740993,
        2000,
    ]
    assert ours("Cast", 28, [np.array([1.5, -2], np.float32)], {"to": NUMBERS["object"]})[0].tolist() == ["1.5", "-2.0"]
    with pytest.raises(FormatError, match="texts that are no float32"):
        ours("Cast", 28, [np.array(["Hello"], object)], {"to": NUMBERS["float32"]})


def test_random_numbers_follow_their_seed_or_the_key() -> None:
    def draw(key: jax.Array | None, **attributes: Any) -> np.ndarray:
        attributes = {"shape": (4000,), "mean": 2.0, "scale": 0.5, **attributes}
        return np.asarray(call(function_of("RandomNormal", "", 22), "RandomNormal", [], attributes, key=key)[0])

    one, other = jax.random.key(1), jax.random.key(2)
    assert np.array_equal(draw(one, seed=3.0), draw(other, seed=3.0)) and not np.array_equal(draw(one), draw(other))
    assert abs(draw(one).mean() - 2) < 0.05 and abs(draw(one).std() - 0.5) < 0.05


def test_classes_are_drawn_by_their_probability() -> None:
    logits = np.log(np.array([[0.1, 0.6, 0.3]], np.float32)) + 7
    drawn = np.asarray(traced("Multinomial", [logits], {"sample_size": 4000}))
    np.testing.assert_allclose(np.bincount(drawn[0], minlength=3) / 4000, [0.1, 0.6, 0.3], atol=0.03)
    probable = traced("Bernoulli", [np.full(4000, 0.3, np.float32)])
    assert abs(probable.mean() - 0.3) < 0.03


HUGE = 2**40
BAD: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "another shape": ("Add", [np.ones(2), np.ones(3)], {}, "Add cannot take"),
    "an input missing": ("Add", [np.ones(2)], {}, "Add lacks its input 'B'"),
    "an input left out": ("MatMul", [None, np.ones(2)], {}, "MatMul lacks its input 'A'"),
    "no input at all": ("Concat", [], {"axis": 0}, "Concat cannot take"),
    "another kind of attribute": ("Transpose", [np.ones(2)], {"perm": 5}, "Transpose cannot take"),
    "an axis that is not there": ("Concat", [np.ones(2)], {"axis": 1}, "axis 1 of an array with 1 axes"),
    "an axis twice": ("ReduceSum", [np.ones((2, 2)), np.array([0, -2])], {}, "an axis is named twice"),
    "an index out of range": ("Gather", [np.ones(2), np.array(2)], {}, "Gather cannot take"),
    "an unknown dtype": ("Cast", [np.ones(2)], {"to": 99}, "there is no data type 99"),
    "an unknown mode": ("Pad", [np.ones(2), np.array([1, 1])], {"mode": "mirror"}, "Pad has the modes"),
    "an unknown reduction": (
        "ScatterND",
        [np.ones(2), np.array([[0]]), np.ones(1)],
        {"reduction": "sum"},
        "elements are put by",
    ),
    "an uneven split": ("Split", [np.ones(4), np.array([1, 2])], {}, "Split of an axis of size 4"),
    "too few elements": ("Reshape", [np.ones(4), np.array([3, -1])], {}, "the numbers of elements differ"),
    "a step of nothing": ("Slice", [np.ones(4), *np.array([[0], [1], [0], [0]])], {}, "in steps of"),
    "nothing to compare": ("ArgMax", [np.ones((2, 0))], {"axis": 1}, "there is no largest"),
    "other widths": ("BitCast", [np.ones(2)], {"to": 1}, "not as wide"),
    "a scale for other axes": ("QuantizeLinear", [np.ones((2, 2)), np.ones(3)], {}, "a scale or zero point of shape"),
    "a huge constant": ("ConstantOfShape", [np.array([HUGE])], {}, "over the limit"),
    "a huge expansion": ("Expand", [np.ones(1), np.array([HUGE, 2])], {}, "over the limit"),
    "a huge tiling": ("Tile", [np.ones(2), np.array([HUGE])], {}, "over the limit"),
    "a huge range": ("Range", [np.array(0), np.array(HUGE), np.array(1)], {}, "over the limit"),
    "a range without end": ("Range", [np.array(0.0), np.array(np.inf), np.array(1.0)], {}, "Range from 0.0 to inf"),
    "huge margins": ("Pad", [np.ones(2), np.array([HUGE, HUGE])], {}, "over the limit"),
    "many classes": ("OneHot", [np.arange(3), np.array(HUGE), np.ones(2)], {}, "over the limit"),
    "many samples": ("Multinomial", [np.ones((1, 2))], {"sample_size": HUGE}, "over the limit"),
    "a huge crop": ("CenterCropPad", [np.ones(2), np.array([HUGE])], {}, "over the limit"),
    "a large diagonal": ("EyeLike", [np.broadcast_to(np.float32(0), (2**20, 2**20))], {}, "over the limit"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused_in_words(what: str) -> None:
    op_type, inputs, attributes, message = BAD[what]
    with pytest.raises(ZerfooError, match=message):
        ours(op_type, 28, inputs, attributes)


def test_sizes_that_are_not_known_yet_are_kept_by_reshape():
    reshape = jax.jit(lambda x: call(function_of("Reshape", "", 28), "Reshape", [x, np.array([0, -1])], {})[0])
    (batch,) = export.symbolic_shape("batch")
    artefact = export.export(reshape)(jax.ShapeDtypeStruct((batch, 2, 3), np.float32))
    assert artefact.call(np.ones((5, 2, 3), np.float32)).shape == (5, 6)
