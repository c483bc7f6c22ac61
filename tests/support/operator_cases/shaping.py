"""Cases of operators that give arrays another shape, or take and put parts of them, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, int64, integers, normal

CASES = Cases()
case = CASES.case

for shape, wanted in [
    ((2, 4, 1), (2, -1)),
    ((2, 4, 1), (0, 0, -1)),
    ((2, 4, 1), (-1,)),
    ((3, 2, 4), (4, 3, 2)),
    ((3, 8), (0, 8)),
]:
    case("Reshape", (7, 13, 14, 19), [normal(*shape), int64(*wanted)])
case("Reshape", (14,), [normal(0, 3), int64(3, 0)], allowzero=1)
case("Reshape", (7,), [normal(1), np.zeros(0, np.int64)])
case("Shape", (7, 13), [normal(2, 0, 3)])
case("Shape", (15,), [normal(2, 0, 3)], start=-2)
case("Shape", (15,), [normal(2, 0, 3)], start=0, end=-1)
case("Shape", (15,), [normal(2, 0, 3)], start=-9, end=9)
case("Size", (7,), [normal(2, 3)])
case("Size", (7,), [normal()])
for axis in (0, 1, 2, 3, -1):
    case("Flatten", (9,) if axis >= 0 else (11,), [normal(2, 3, 4)], axis=axis)
case("Flatten", (9,), [normal(2, 0, 3)], axis=2)
case("Squeeze", (7, 11), [normal(1, 3, 1)])
case("Squeeze", (7,), [normal(1, 3, 1)], axes=[0])
case("Squeeze", (11,), [normal(1, 3, 1)], axes=[-1])
case("Squeeze", (13,), [normal(1, 3, 1), int64(-1)])
case("Squeeze", (13,), [normal(1, 3, 1)])
case("Unsqueeze", (7, 11), [normal(2, 3)], axes=[0, 3])
case("Unsqueeze", (11,), [normal(2, 3)], axes=[-1, 0])
case("Unsqueeze", (13,), [normal(2, 3), int64(-2)])
case("Transpose", (7, 13), [normal(2, 3, 4)])
case("Transpose", (7,), [normal(2, 3, 4)], perm=[1, 2, 0])
case("Expand", (8, 13), [normal(3, 1), int64(2, 1, 4)])
case("Expand", (8,), [normal(3, 4), int64(1)])
case("Expand", (8,), [normal(3, 1), int64(3, 0)])
case("Tile", (7, 13), [normal(2, 3), int64(2, 3)])
case("Tile", (7,), [normal(2, 3), int64(2, 0)])
case("Concat", (7, 11, 13), [normal(2, 3), normal(2, 1)], axis=1)
case("Concat", (11,), [normal(2, 3), normal(0, 3)], axis=-2)
case("Split", (7, 11), [normal(2, 6)], 2, axis=1)
case("Split", (7,), [normal(2, 6)], 2, axis=1, split=[1, 5])
case("Split", (13,), [normal(2, 6), int64(2, 4)], 2, axis=-1)
case("Split", (13,), [normal(4, 2)], 2)
case("Split", (18,), [normal(7, 2)], 3, num_outputs=3)
case("Split", (18,), [normal(7, 2)], 4, num_outputs=4)
case("DepthToSpace", (7, 11, 13), [normal(1, 8, 2, 3)], blocksize=2)
case("DepthToSpace", (11,), [normal(1, 8, 2, 3)], blocksize=2, mode="CRD")
case("SpaceToDepth", (7, 13), [normal(2, 2, 4, 6)], blocksize=2)
case("ReverseSequence", (10,), [normal(4, 3, 2), int64(1, 4, 2)])
case("ReverseSequence", (10,), [normal(3, 4), int64(1, 4, 2)], time_axis=1, batch_axis=0)
for upper in (0, 1):
    case("Trilu", (14,), [normal(2, 3, 4)], upper=upper)
    case("Trilu", (14,), [normal(3, 4), int64(-1).reshape(())], upper=upper)
    case("Trilu", (14,), [integers(0, 9, 0, 3), int64(1).reshape(())], upper=upper)
case("EyeLike", (9,), [normal(3, 4)], k=1)
case("EyeLike", (9,), [normal(3, 4)], k=-1, dtype=6)
case("Range", (11,), [np.array(1, np.float32), np.array(4.5, np.float32), np.array(0.5, np.float32)])
case("Range", (11,), [int64(10).reshape(()), int64(3).reshape(()), int64(-3).reshape(())])
case("Range", (11,), [int64(1).reshape(()), int64(1).reshape(()), int64(1).reshape(())])
case("ConstantOfShape", (9,), [int64(2, 3)])
case("ConstantOfShape", (9,), [int64(2, 0)], value=int64(7))
case("ConstantOfShape", (9,), [np.zeros(0, np.int64)], value=int64(7))
for axis in (-1, 0, 1):
    case("OneHot", (9, 11), [int64(0, -1, 5, 2).reshape(2, 2), int64(3).reshape(()), normal(2)], axis=axis)
case("OneHot", (11,), [np.float32([0, 2]), np.float32([3]), normal(2)])
case("CenterCropPad", (18,), [normal(5, 4, 3), int64(2, 7)], axes=[0, -1])
case("CenterCropPad", (18,), [normal(5, 4), int64(4, 7)])
case("Slice", (7,), [normal(5, 6)], starts=[1, -3], ends=[1000, -1])
case("Slice", (7,), [normal(5, 6)], starts=[1], ends=[3], axes=[1])
for version in (10, 11, 13):
    case("Slice", (version,), [normal(5, 6), int64(-1, 1), int64(-1000, 2**62), int64(0, -1), int64(-2, 3)])
    case("Slice", (version,), [normal(5, 6), int64(1), int64(3)])
    case("Slice", (version,), [normal(5, 6), int64(4), int64(2), int64(1)])
    case("Slice", (version,), [normal(5), int64(3), int64(-(2**63)), int64(0), int64(-1)])
case("Pad", (7,), [normal(3, 4)], pads=[1, 0, 2, 1], value=1.5)
case("Pad", (7,), [normal(3, 4)], pads=[1, 0, 2, 1], mode="reflect")
case("Pad", (7,), [normal(3, 4)], pads=[1, 0, 2, 1], mode="edge")
for mode in ("constant", "edge", "reflect"):
    case("Pad", (11, 13, 18), [normal(3, 4), int64(2, 1, 0, 1)], mode=mode)
case("Pad", (19,), [normal(3, 4), int64(2, 1, 0, 1)], mode="wrap")
case("Pad", (11,), [normal(3, 4), int64(-1, 2, 0, -1), np.array(3, np.float32)])
case("Pad", (18,), [normal(3, 4), int64(2, 1), None, int64(-1)])
case("Pad", (18,), [normal(3, 4), int64(-1, 2, 1, -1)], mode="edge")
case("Pad", (18,), [normal(3, 4), int64(-1, 2, 1, -1)], mode="reflect")
for axis in (0, 1, -1):
    case("Gather", (7, 11, 13) if axis >= 0 else (11, 13), [normal(3, 4), integers(0, 3, 2, 2)], axis=axis)
case("Gather", (11,), [normal(3, 4), int64(-1, 0)])
case("Gather", (7,), [normal(3, 4), np.array(1, np.int32)])
case("Gather", (7,), [normal(3, 4), np.zeros((0, 2), np.int64)])
case("GatherElements", (11, 13), [normal(3, 4), integers(-3, 3, 2, 3)], axis=0)
case("GatherElements", (11,), [normal(3, 4), integers(-4, 4, 3, 7)], axis=-1)
case("GatherElements", (11,), [normal(3, 3), int64(2, 0).reshape(1, 2)], axis=1)
case("GatherND", (11, 12, 13), [normal(3, 4, 2), integers(-3, 3, 5, 2)])
case("GatherND", (12,), [normal(3, 4, 2), integers(0, 4, 3, 1)], batch_dims=1)
case("GatherND", (11,), [normal(3, 4), integers(0, 3, 2, 2, 1)])
case("GatherND", (12,), [normal(2, 3, 4, 2), integers(0, 2, 2, 3, 5, 2)], batch_dims=2)
case("Scatter", (9,), [normal(3, 4), int64(1, 0, 2, 0).reshape(1, 4), normal(1, 4)])
case("ScatterElements", (11, 13, 16, 18), [normal(3, 4), int64(1, -1, 0).reshape(1, 3), normal(1, 3)], axis=-2)
for reduction in ("add", "mul", "max", "min"):
    case(
        "ScatterElements",
        (16, 18) if reduction in ("add", "mul") else (18,),
        [normal(5), int64(1, 1, -1), normal(3)],
        axis=0,
        reduction=reduction,
    )
    case(
        "ScatterND",
        (16, 18) if reduction in ("add", "mul") else (18,),
        [normal(4, 2), int64(1, 1, -1).reshape(3, 1), normal(3, 2)],
        reduction=reduction,
    )
case("ScatterND", (11, 13, 16), [normal(4, 2), int64(1, 1, -2, 0).reshape(2, 2), normal(2)])
case("Compress", (9, 11), [normal(3, 4), np.array([True, False, True])], axis=0)
case("Compress", (9,), [normal(3, 4), np.array([False, True, True, False, True])])
case("Compress", (11,), [normal(3, 4), np.array([False, True])], axis=-1)
case("NonZero", (9, 13), [integers(0, 2, 3, 4).astype(np.float32)])
case("NonZero", (9,), [np.array([[True, False], [True, True]])])
case("Unique", (11,), [integers(0, 4, 3, 4).astype(np.float32)], 4)
case("Unique", (11,), [integers(0, 4, 7)], 4, sorted=0)
case("Unique", (11,), [integers(0, 2, 5, 2).astype(np.float32)], 4, axis=0)
case("Unique", (11,), [integers(0, 2, 2, 5).astype(np.float32)], 4, axis=1, sorted=0)
case("Unique", (11,), [np.array(["b", "a", "b"], object)], 4)
case("Identity", (7,), [normal(2)])
