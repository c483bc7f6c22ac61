"""Arithmetic, comparisons, logic and functions of one element."""

from collections.abc import Callable
import math
from typing import Any

import numpy as np

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats.lowering.builder import Builder
from zerfoo_jax.formats.lowering.pointwise import are_codes, point, pointwise
from zerfoo_jax.formats.lowering.tensor import Tensor
from zerfoo_jax.formats.operators.data_types import NUMBERS, dtype_named

Rule = Callable[..., Any]


def _same(op_type: str, **attributes: Any) -> Rule:
    """The rule of a primitive that is an operator."""
    return pointwise(lambda b, eq, *xs: point(b, op_type, *xs, **attributes))


def _comparison(op_type: str, negated: bool = False) -> Rule:
    @pointwise
    def rule(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
        x, y = (b.cast(a, np.int32) if x.dtype == bool and op_type != "Equal" else a for a in (x, y))
        found = point(b, op_type, x, y, dtype=bool)
        return point(b, "Not", found) if negated else found

    return rule


def _logical(for_bools: str, for_integers: str) -> Rule:
    return pointwise(lambda b, eq, *xs: point(b, for_bools if xs[0].dtype == bool else for_integers, *xs))


def _via(expression: Callable[..., Tensor]) -> Rule:
    """The rule of a function that is written with others; `expression` takes a writer of operators and the inputs."""

    @pointwise
    def rule(b: Builder, eq: Any, *xs: Tensor) -> Tensor:
        def write(op_type: str, *given: Any, **attributes: Any) -> Tensor:
            tensors = [x if isinstance(x, Tensor) else b.scalar(x, xs[0].dtype) for x in given]
            return point(b, op_type, *tensors, **attributes)

        return expression(write, *xs)

    return rule


def _polynomial(w: Callable[..., Tensor], x: Tensor, *coefficients: Tensor) -> Tensor:
    """By Horner's rule, from the lowest degree on."""
    total = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        total = w("Add", w("Mul", total, x), coefficient)
    return total


def _in_order(op_type: str, nan_too: bool) -> Rule:
    """A comparison by the order in which NaN follows all numbers, and is itself no further than NaN."""

    @pointwise
    def rule(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
        found = point(b, op_type, x, y, dtype=bool)
        if x.dtype.kind in "iu":
            return found
        last = point(b, "IsNaN", y, dtype=bool)
        if not nan_too:
            last = point(b, "And", last, point(b, "Not", point(b, "IsNaN", x, dtype=bool)))
        return point(b, "Or", found, last)

    return rule


@pointwise
def _add(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    """A sum; what adds nothing goes."""
    for one, other in ((x, y), (y, x)):
        if one.array is not None and one.array.size == 1 and not one.array.any() and other.rank >= one.rank:
            return other
    return point(b, "Add", x, y)


@pointwise
def _mul(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    return point(b, "And" if x.dtype == bool else "Mul", x, y)


@pointwise
def _div(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    return x if y.array is not None and y.array.size == 1 and y.array.item() == 1 else point(b, "Div", x, y)


@pointwise
def _max(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    """The larger of two; that with -inf is the other."""
    if x.dtype == bool:
        return point(b, "Or", x, y)
    for one, other in ((x, y), (y, x)):
        if one.array is not None and one.array.size == 1:
            if one.array.item() == -math.inf and other.rank >= one.rank:
                return other
            if one.array.item() == 0 and x.dtype.kind == "f":
                return point(b, "Relu", other)
    return point(b, "Max", x, y)


@pointwise
def _min(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    return point(b, "And" if x.dtype == bool else "Min", x, y)


@pointwise
def _clamp(b: Builder, eq: Any, low: Tensor, x: Tensor, high: Tensor) -> Tensor:
    return point(b, "Min", point(b, "Max", x, low), high)


@pointwise
def _select_n(b: Builder, eq: Any, which: Tensor, *cases: Tensor) -> Tensor:
    """The case of that number, or of a truth value: false is the first."""
    if which.dtype == bool:
        return where(b, which, cases[1], cases[0])
    found = cases[-1]
    for number in reversed(range(len(cases) - 1)):
        found = where(b, point(b, "Equal", which, b.scalar(number, which.dtype), dtype=bool), cases[number], found)
    return found


def where(b: Builder, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`x` where the condition holds, else `y`; for truth values in terms of logic, as engines have no Where of them."""
    if x.dtype != bool:
        return point(b, "Where", condition, x, y, dtype=x.dtype)
    return point(b, "Or", point(b, "And", condition, x), point(b, "And", point(b, "Not", condition), y))


@pointwise
def _convert(b: Builder, eq: Any, x: Tensor) -> Tensor:
    """A cast. Of a negative number to an unsigned one it goes by way of int64."""
    dtype = np.dtype(eq.params["new_dtype"])
    if are_codes(x, dtype):
        return b.emit("Cast", [x], x.stored, dtype, to=NUMBERS[dtype.name])
    return b.cast(b.cast(x, np.int64) if x.dtype.kind == "f" and dtype.kind == "u" else x, dtype)


@pointwise
def _bits(b: Builder, eq: Any, x: Tensor) -> Tensor:
    """The same bits as another dtype: a cast between integers of one size."""
    dtype = np.dtype(eq.params["new_dtype"])
    if not {x.dtype.kind, dtype.kind} <= {"i", "u"} or x.dtype.itemsize != dtype.itemsize:
        raise FormatError(f"no operator sees the bits of {x.dtype} as {dtype}")
    return b.cast(x, dtype)


@pointwise
def _reduce_precision(b: Builder, eq: Any, x: Tensor) -> Tensor:
    """Rounding to a narrower dtype and back."""
    narrow = {(8, 7): "bfloat16", (5, 10): "float16", (8, 23): "float32"}
    dtype = narrow.get((eq.params["exponent_bits"], eq.params["mantissa_bits"]))
    if dtype is None:
        raise FormatError("no dtype has the number of bits that is rounded to")
    return b.cast(b.cast(x, dtype_named(dtype)), x.dtype)


@pointwise
def _integer_pow(b: Builder, eq: Any, x: Tensor) -> Tensor:
    power = eq.params["y"]
    if power == 2:
        return point(b, "Mul", x, x)
    found = point(b, "Pow", x, b.scalar(abs(power), x.dtype)) if abs(power) != 1 else x
    return point(b, "Reciprocal", found) if power < 0 else found


@pointwise
def _pow(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    return point(b, "Pow", x, y, dtype=x.dtype)


@pointwise
def _atan2(b: Builder, eq: Any, y: Tensor, x: Tensor) -> Tensor:
    """The angle of the point (x, y), in radians."""

    def number(value: float) -> Tensor:
        return b.scalar(value, x.dtype)

    def less_than_zero(z: Tensor) -> Tensor:
        return point(b, "Less", z, number(0), dtype=bool)

    turned = where(b, less_than_zero(y), number(-math.pi), number(math.pi))
    angle = point(b, "Add", point(b, "Atan", point(b, "Div", y, x)), where(b, less_than_zero(x), turned, number(0)))
    upright = point(b, "Mul", point(b, "Sign", y), number(math.pi / 2))
    return where(b, point(b, "Equal", x, number(0), dtype=bool), upright, angle)


@pointwise
def _rem(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    """The remainder with the sign of the dividend."""
    return point(b, "Mod", x, y, fmod=1)


@pointwise
def _round(b: Builder, eq: Any, x: Tensor) -> Tensor:
    if int(eq.params["rounding_method"]) == 1:
        return point(b, "Round", x)
    shifted = point(b, "Add", point(b, "Abs", x), b.scalar(0.5, x.dtype))
    return point(b, "Mul", point(b, "Sign", x), point(b, "Floor", shifted))


@pointwise
def _is_finite(b: Builder, eq: Any, x: Tensor) -> Tensor:
    x = b.cast(x, np.float32)
    odd = point(b, "Or", point(b, "IsInf", x, dtype=bool), point(b, "IsNaN", x, dtype=bool))
    return point(b, "Not", odd)


@pointwise
def _shift(b: Builder, eq: Any, x: Tensor, y: Tensor) -> Tensor:
    """Bits moved; operators know that of unsigned integers alone, and signed ones have the same bits."""
    left = eq.primitive.name == "shift_left"
    if x.dtype.kind == "i" and not left and eq.primitive.name == "shift_right_arithmetic":
        divisor = point(b, "Pow", b.scalar(2, x.dtype), y)
        low = point(b, "Mod", x, divisor)
        return point(b, "Div", point(b, "Sub", x, low), divisor)
    wide = np.dtype(x.dtype.str.replace("i", "u"))
    moved = point(b, "BitShift", b.cast(x, wide), b.cast(y, wide), direction="LEFT" if left else "RIGHT")
    return b.cast(moved, x.dtype)


ELEMENTWISE: dict[str, Rule] = {
    **{name: _same(op_type) for name, op_type in {
        "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh",
        "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf", "exp": "Exp", "floor": "Floor", "log": "Log",
        "logistic": "Sigmoid", "neg": "Neg", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "sub": "Sub",
        "tan": "Tan", "tanh": "Tanh",
    }.items()},
    "add": _add,
    "add_any": _add,
    "and": _logical("And", "BitwiseAnd"),
    "atan2": _atan2,
    "bitcast_convert_type": _bits,
    "cbrt": _via(lambda w, x: w("Mul", w("Sign", x), w("Pow", w("Abs", x), 1 / 3))),
    "clamp": _clamp,
    "convert_element_type": _convert,
    "div": _div,
    "eq": _comparison("Equal"),
    "erfc": _via(lambda w, x: w("Sub", 1, w("Erf", x))),
    "exp2": _via(lambda w, x: w("Pow", 2, x)),
    "expm1": _via(lambda w, x: w("Sub", w("Exp", x), 1)),
    "ge": _comparison("GreaterOrEqual"),
    "gt": _comparison("Greater"),
    "integer_pow": _integer_pow,
    "is_finite": _is_finite,
    "le": _comparison("LessOrEqual"),
    "le_to": _in_order("LessOrEqual", nan_too=True),
    "log1p": _via(lambda w, x: w("Log", w("Add", x, 1))),
    "log2": _via(lambda w, x: w("Mul", w("Log", x), 1 / math.log(2))),
    "lt": _comparison("Less"),
    "lt_to": _in_order("Less", nan_too=False),
    "max": _max,
    "min": _min,
    "mul": _mul,
    "ne": _comparison("Equal", negated=True),
    "not": _logical("Not", "BitwiseNot"),
    "one_minus_square": _via(lambda w, x: w("Sub", 1, w("Mul", x, x))),
    "or": _logical("Or", "BitwiseOr"),
    "polynomial": _via(_polynomial),
    "pow": _pow,
    "reduce_precision": _reduce_precision,
    "rem": _rem,
    "round": _round,
    "rsqrt": _via(lambda w, x: w("Reciprocal", w("Sqrt", x))),
    "select_n": _select_n,
    "shift_left": _shift,
    "shift_right_arithmetic": _shift,
    "shift_right_logical": _shift,
    "square": _via(lambda w, x: w("Mul", x, x)),
    "xor": _logical("Xor", "BitwiseXor"),
}  # fmt: skip
