"""Cases of operators that resize and sample images, transform signals and compute losses, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, int64, integers, normal, scalar

CASES = Cases()
case = CASES.case


def scales(*values: float) -> np.ndarray:
    """A vector in float32."""
    return np.array(values, np.float32)


image, none = normal(1, 2, 7, 6), np.zeros(0, np.float32)
for mode in ("nearest", "linear"):
    case("Upsample", (7,), [image], mode=mode, scales=[1.0, 1.0, 2.0, 1.5])
    case("Upsample", (9,), [image, scales(1, 1, 2, 2.6)], mode=mode)
    case("Resize", (10,), [image, scales(1, 1, 0.6, 2.3)], mode=mode)
for factors in ((1.7, 2.2), (0.6, 0.8)):
    for mode in ("half_pixel", "asymmetric", "pytorch_half_pixel"):
        shared = {"coordinate_transformation_mode": mode}
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
            case("Resize", (11, 19), [image, none, scales(1, 1, *factors)], nearest_mode=rounding, **shared)
        case("Resize", (11, 13, 19), [image, none, scales(1, 1, *factors)], mode="linear", **shared)
        case("Resize", (11, 18), [image, none, scales(1, 1, *factors)], mode="cubic", cubic_coeff_a=-0.5, **shared)
        case("Resize", (13,), [image, none, scales(1, 1, *factors)], mode="cubic", exclude_outside=1, **shared)
    sizes = int64(1, 2, *(int(size * f) for size, f in zip((7, 6), factors, strict=True)))
    for mode in ("nearest", "linear", "cubic"):
        shared = {"mode": mode, "coordinate_transformation_mode": "align_corners"}
        case("Resize", (11,), [image, none, none, sizes], **shared)
        case("Resize", (13, 18), [image, None, None, sizes], **shared)
        case("Resize", (18,), [image, None, scales(1, 1, *factors)], **shared)
    for mode in ("linear", "cubic"):
        case("Resize", (18, 19), [image, None, None, int64(1, 2, 3, 4)], mode=mode, antialias=1)

for corners in (0, 1):
    for padding in ("zeros", "border", "reflection"):
        shared = {"padding_mode": padding, "align_corners": corners}
        for mode in ("bilinear", "nearest", "bicubic"):
            case("GridSample", (16,), [normal(2, 3, 4, 5), normal(2, 5, 6, 2)], mode=mode, **shared)
        case("GridSample", (20,), [normal(1, 2, 4, 5, 3), normal(1, 5, 2, 3, 3)], mode="linear", **shared)
regions = [scales(0, 0, 6, 5, 1.3, 2.1, 7.7, 8.2, 3, 3, 3.2, 3.1).reshape(3, 4), int64(0, 1, 0)]
for ratio in (0, 2):
    pooled = {"output_height": 3, "output_width": 2, "sampling_ratio": ratio, "spatial_scale": 0.7}
    case("RoiAlign", (10, 16), [normal(2, 3, 8, 9), *regions], **pooled)
    case("RoiAlign", (16,), [normal(2, 3, 8, 9), *regions], mode="max", **pooled)
whole = scales(0, 0, 0, 6, 5, 1, 1, 2, 7, 8, 0, 3, 3, 3, 3).reshape(3, 5)
case("MaxRoiPool", (7,), [normal(2, 3, 8, 9), whole], pooled_shape=[3, 2], spatial_scale=0.7)
for centred in (0, 1):
    boxes = abs(normal(2, 20, 4)) / 2
    case(
        "NonMaxSuppression", (10, 11), [boxes, normal(2, 3, 20), int64(5), scales(0.3), scales(-0.2)], center_point_box=centred
    )

case("DFT", (17,), [normal(2, 7, 5, 1)], onesided=1)
case("DFT", (17,), [normal(2, 7, 5, 2), int64(9).reshape(())], axis=2)
case("DFT", (20,), [normal(2, 7, 5, 2)], inverse=1)
case("DFT", (20,), [normal(2, 7, 6, 1), None, int64(1).reshape(())])
case("STFT", (17,), [normal(2, 30, 1), int64(4).reshape(()), normal(8)])
case("STFT", (17,), [normal(2, 30), int64(4).reshape(()), normal(8)])
for window in ("HannWindow", "HammingWindow", "BlackmanWindow"):
    for periodic in (0, 1):
        case(window, (17,), [int64(9).reshape(())], periodic=periodic)
mel = [int64(8).reshape(()), int64(64).reshape(()), int64(16000).reshape(())]
case("MelWeightMatrix", (17,), [*mel, scalar(20), scalar(7600)])

for reduction in ("none", "sum", "mean"):
    labels = [normal(3, 5, 2), integers(0, 5, 3, 2), abs(normal(5))]
    case("NegativeLogLikelihoodLoss", (12, 13), labels, reduction=reduction, ignore_index=1)
    case("SoftmaxCrossEntropyLoss", (12, 13), labels, 2, reduction=reduction, ignore_index=2)
turned = [normal(2, 3, 5, 8), normal(10, 3), normal(10, 3), integers(0, 10, 2, 5)]
case("RotaryEmbedding", (23,), turned, rotary_embedding_dim=6, interleaved=1)
