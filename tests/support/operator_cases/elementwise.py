"""Cases of operators that work element by element, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, int64, integers, normal

CASES = Cases()
case = CASES.case

for op in ["Add", "Sub", "Mul", "Div"]:
    case(op, (7, 13, 14), [normal(2, 1, 3), normal(4, 1)])
    case(op, (7, 14), [integers(-9, 9, 4, 1).astype(np.int32), np.array([3, -2, 5], np.int32)])
    case(op, (13,), [normal(0, 3), normal(3)])
    case(op, (14,), [normal(), normal(2)])
case("Div", (14,), [np.array([-7, 7, -7, 7], np.int64), np.array([2, -2, -2, 2], np.int64)])
for fmod in (0, 1):
    case("Mod", (10, 13), [np.array([-7, 7, -7, 7, 0], np.int64), np.array([2, -2, -3, 3, 4], np.int64)], fmod=fmod)
case("Mod", (13,), [normal(3, 4) * 5, normal(4)], fmod=1)
case("Pow", (7, 12, 13, 15), [abs(normal(2, 3)) + 0.1, normal(3)])
for exponent in (2.0, 3.0, -1.0, 0.5, 0.0, 1.0):
    case("Pow", (7, 13), [abs(normal(4)), np.array(exponent, np.float32)])
case("Pow", (13,), [integers(1, 5, 3).astype(np.int32), np.array([2.0, 0.5, 3], np.float32)])
case("Pow", (13,), [normal(3), np.array([2, 3, 1], np.int64)])
case("Pow", (12,), [integers(-3, 5, 3), np.array([2, 3, 0], np.int64)])
case("Pow", (13,), [normal(2, 2), np.array([[[2.0]]], np.float32)])
for op in ["Sum", "Mean", "Max", "Min"]:
    case(op, (8, 13), [normal(2, 3), normal(3), normal(1, 1)])
    case(op, (8, 13), [normal(2)])
case("Max", (13,), [np.array([1, np.nan, 3], np.float32), np.array([2, 2, np.nan], np.float32)])
case("Min", (12,), [integers(0, 9, 3), integers(0, 9, 3)])
case("Clip", (7,), [normal(3, 4)], min=-0.5, max=0.5)
case("Clip", (7,), [normal(3)], max=0.1)
case("Clip", (7, 10), [normal(3) * 1e38])
case("Clip", (11, 12, 13), [normal(3, 4), np.array(-0.5, np.float32), np.array(0.5, np.float32)])
case("Clip", (12,), [normal(3), None, np.array(0.5, np.float32)])
case("Clip", (12,), [integers(-5, 5, 6), int64(-2).reshape(()), None])
case("Clip", (13,), [normal(6), np.array(1, np.float32), np.array(-1, np.float32)])
for op, versions in [
    ("Neg", (7, 13)),
    ("Abs", (7, 13)),
    ("Sign", (9, 13)),
    ("Reciprocal", (7, 13)),
    ("Exp", (7, 13)),
    ("Erf", (9, 13)),
    ("Floor", (7, 13)),
    ("Ceil", (7, 13)),
    ("Round", (11, 22)),
    ("Sin", (7, 22)),
    ("Cos", (7,)),
    ("Tan", (7,)),
    ("Atan", (7,)),
    ("Sinh", (9,)),
    ("Cosh", (9,)),
    ("Tanh", (7, 13)),
    ("Asinh", (9,)),
]:
    case(op, versions, [normal(3, 2) * 3])
    case(op, versions[:1], [normal(0, 2)])
case("Round", (11,), [np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], np.float32)])
for op, versions in [("Sqrt", (7, 13)), ("Log", (7, 13))]:
    case(op, versions, [abs(normal(3))])
for op in ("Asin", "Acos", "Atanh"):
    case(op, (9,), [np.tanh(normal(4))])
case("Acosh", (9,), [abs(normal(4)) + 1])
case("Equal", (7, 11, 13, 19), [integers(0, 3, 4, 1).astype(np.int32), integers(0, 3, 3).astype(np.int32)])
for op in ("Less", "Greater"):
    case(op, (7, 9, 13), [normal(4, 1), normal(3)])
for op in ("LessOrEqual", "GreaterOrEqual"):
    case(op, (12, 16), [normal(4, 1), normal(3)])
case("Equal", (7, 13), [np.array([True, False]), np.array([[True]])])
case("Equal", (19,), [np.array(["a", "b"], object), np.array(["a"], object)])
for op in ("And", "Or", "Xor"):
    case(op, (7,), [normal(3, 1) > 0, normal(2) > 0])
case("Not", (7,), [normal(3) > 0])
case("IsNaN", (9, 13), [np.array([1, np.nan], np.float32)])
case("IsInf", (10,), [np.array([1, np.inf, -np.inf], np.float32)], detect_negative=0)
case("Where", (9, 16), [normal(3, 1) > 0, normal(1, 2), normal()])
for op in ("BitwiseAnd", "BitwiseOr", "BitwiseXor"):
    case(op, (18,), [integers(-99, 99, 3, 1).astype(np.int32), integers(-99, 99, 2).astype(np.int32)])
case("BitwiseNot", (18,), [integers(0, 99, 3).astype(np.uint8)])
for direction in ("LEFT", "RIGHT"):
    case("BitShift", (11,), [integers(0, 255, 3, 1).astype(np.uint8), np.array([0, 1, 7], np.uint8)], direction=direction)
for to in (1, 6, 7, 9, 10, 11, 3, 2):
    case("Cast", (7, 9, 13, 19), [np.array([[0.0, 1.6, -0.0, 3.2, 100.7]], np.float32)], to=to)
case("Cast", (9,), [integers(-300, 300, 5).astype(np.int32)], to=3)
case("Cast", (9,), [np.array([True, False])], to=1)
case("Cast", (9, 13), [np.array(["1.5", "-2e3", "inf", "NaN"], object)], to=1)
case("Cast", (9,), [np.array(["15", "-2"], object)], to=7)
case("Cast", (9,), [integers(0, 50, 3)], to=8)
case("CastLike", (15,), [normal(3) * 5, integers(0, 2, 1)])
