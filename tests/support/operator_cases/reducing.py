"""Cases of operators that sum and compare along axes, multiply matrices and quantise, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, int8s, int64, integers, normal, scalar, uint8s

CASES = Cases()
case = CASES.case

case("TopK", (7,), [normal(3, 5)], 2, k=2)
case("TopK", (10, 11), [normal(3, 5), int64(2)], 2, axis=0)
case("TopK", (11,), [integers(0, 4, 3, 9), int64(5)], 2, largest=0)
case("TopK", (11,), [integers(0, 4, 9), int64(5)], 2)
case("TopK", (11,), [normal(3, 5), int64(0)], 2)
for kind in ["Sum", "Mean", "Prod", "Max", "Min", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"]:
    x = abs(normal(2, 3, 4))
    case(f"Reduce{kind}", (7, 11, 13) if kind != "Sum" else (7, 11), [x], axes=[0, 2], keepdims=0)
    case(f"Reduce{kind}", (7,), [x])
    case(f"Reduce{kind}", (11,), [x], axes=[-2])
    case(f"Reduce{kind}", (18,) if kind != "Sum" else (13,), [x, int64(-1, 0)])
    case(f"Reduce{kind}", (18,) if kind != "Sum" else (13,), [x], noop_with_empty_axes=1)
    case(f"Reduce{kind}", (18,), [x], keepdims=0)
    if kind not in ("LogSum", "LogSumExp", "L2", "L1"):
        case(f"Reduce{kind}", (18,) if kind != "Sum" else (13,), [integers(-5, 5, 3, 4).astype(np.int32), int64(1)])
for op in ("ArgMax", "ArgMin"):
    case(op, (7, 11, 12, 13), [integers(0, 3, 3, 9).astype(np.float32)], axis=1)
    case(op, (12, 13), [integers(0, 3, 3, 9).astype(np.float32)], axis=-1, select_last_index=1, keepdims=0)
    case(op, (7,), [normal(3, 2)])
case("Hardmax", (7, 11, 13), [normal(2, 3, 4)])
case("Hardmax", (7, 11, 13), [normal(2, 3, 4)], axis=2)
case("Hardmax", (11, 13), [normal(2, 3, 4)], axis=0)
for exclusive in (0, 1):
    for reverse in (0, 1):
        case("CumSum", (11, 14), [normal(2, 3), int64(-1).reshape(())], exclusive=exclusive, reverse=reverse)
case("CumSum", (14,), [integers(0, 5, 3).astype(np.int32), np.array(0, np.int32)])
for left, right in [
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
]:
    case("MatMul", (7, 9, 13), [normal(*left), normal(*right)])
case("MatMul", (9,), [integers(0, 5, 2, 3).astype(np.int32), integers(0, 5, 3, 2).astype(np.int32)])
case("Gemm", (7, 9, 11, 13), [normal(3, 2), normal(4, 3), normal(4)], alpha=0.5, beta=2.0, transA=1, transB=1)
case("Gemm", (11, 13), [normal(2, 3), normal(3, 4)])
case("Gemm", (7,), [normal(2, 3), normal(3, 4), normal(2, 1)])
case("Gemm", (7,), [normal(2, 3), normal(3, 4), normal()])
for equation, shapes in [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("...ij, ...jk -> ...ik", [(5, 2, 3), (5, 3, 4)]),
    ("ii->i", [(3, 3)]),
    ("ij", [(2, 3)]),
    ("bi,bi", [(2, 3), (2, 3)]),
    ("ab,bc,cd->da", [(2, 3), (3, 4), (4, 5)]),
    ("...i->...", [(2, 3, 4)]),
]:
    case("Einsum", (12,), [normal(*shape) for shape in shapes], equation=equation)
case("Det", (11,), [normal(2, 3, 3)])
case("Det", (11,), [normal(2, 2)])
scales = np.array([0.1, 0.2, 0.3], np.float32)
zero_points = np.array([1, 128, 200], np.uint8)
case("QuantizeLinear", (10, 13, 19, 21), [normal(2, 3) * 9, np.array(0.1, np.float32), np.array(7, np.int8)])
case("QuantizeLinear", (10,), [normal(2, 3), np.array(0.01, np.float32)])
case("QuantizeLinear", (13, 19, 21), [normal(2, 3, 4) * 9, scales, zero_points])
case("QuantizeLinear", (13,), [normal(3, 4) * 9, scales, zero_points], axis=-2)
case(
    "QuantizeLinear",
    (21,),
    [normal(5, 3) * 900, np.abs(normal(3, 3)) + 0.1, integers(0, 9, 3, 3).astype(np.int16)],
    axis=0,
    block_size=2,
)
case("QuantizeLinear", (21,), [normal(2, 3) * 9, np.array(0.1, np.float32)], output_dtype=5)
case(
    "DequantizeLinear",
    (10, 13, 19),
    [integers(0, 255, 2, 3).astype(np.uint8), np.array(0.1, np.float32), np.array(7, np.uint8)],
)
case("DequantizeLinear", (13, 19, 21), [integers(0, 255, 2, 3).astype(np.uint8), scales, zero_points])
case("DequantizeLinear", (10,), [integers(-9999, 9999, 4).astype(np.int32), np.array(0.1, np.float32)])
case(
    "DequantizeLinear",
    (21,),
    [integers(-99, 99, 5, 3).astype(np.int16), np.abs(normal(3, 3)) + 0.1, integers(0, 9, 3, 3).astype(np.int16)],
    axis=0,
    block_size=2,
)
case("DynamicQuantizeLinear", (11,), [normal(4, 5)], 3)
case("DynamicQuantizeLinear", (11,), [np.abs(normal(4, 5))], 3)
case("DynamicQuantizeLinear", (11,), [np.zeros(3, np.float32)], 3)
case("MatMulInteger", (10,), [uint8s(2, 3, 4), uint8s(4, 5), np.array(3, np.uint8), np.array(9, np.uint8)])
case("MatMulInteger", (10,), [uint8s(3, 4), int8s(4, 5), None, int8s(5)])
case("MatMulInteger", (10,), [uint8s(3, 4), uint8s(4, 5)])
case(
    "QLinearMatMul",
    (10,),
    [
        uint8s(2, 3, 4),
        scalar(0.1),
        np.array(3, np.uint8),
        uint8s(4, 5),
        scalar(0.2),
        np.array(8, np.uint8),
        scalar(30),
        np.array(100, np.uint8),
    ],
)
case(
    "QLinearMatMul",
    (10,),
    [
        int8s(3, 4),
        scalar(0.1),
        np.array(3, np.int8),
        int8s(4, 5),
        np.abs(normal(5)),
        int8s(5),
        scalar(30),
        np.array(10, np.int8),
    ],
)
case(
    "ConvInteger",
    (10,),
    [uint8s(1, 2, 5, 6), uint8s(3, 2, 3, 3), np.array(7, np.uint8), np.array(2, np.uint8)],
    pads=[1, 0, 2, 1],
    strides=[2, 1],
)
case("ConvInteger", (10,), [uint8s(1, 4, 5, 6), uint8s(4, 1, 3, 2)], group=4, dilations=[1, 2])
case("ConvInteger", (10,), [uint8s(1, 4, 5, 6), uint8s(4, 2, 1, 1), np.array(7, np.uint8)], group=2, auto_pad="SAME_UPPER")
case(
    "QLinearConv",
    (10,),
    [
        uint8s(2, 2, 5, 6),
        scalar(0.1),
        np.array(7, np.uint8),
        uint8s(3, 2, 3, 3),
        scalar(0.05),
        np.array(120, np.uint8),
        scalar(1.5),
        np.array(90, np.uint8),
        integers(-500, 500, 3).astype(np.int32),
    ],
    pads=[1, 1, 1, 1],
)
case(
    "QLinearConv",
    (10,),
    [
        int8s(2, 2, 5, 6),
        scalar(0.1),
        np.array(7, np.int8),
        int8s(3, 2, 3, 3),
        np.abs(normal(3)),
        np.zeros(3, np.int8),
        scalar(40),
        np.array(9, np.int8),
    ],
    strides=[2, 2],
)
