"""Cases of convolutions, pools, norms and softmax, in all versions that changed them."""

import numpy as np

from tests.support.operator_cases.making import Cases, int8s, int64, normal

CASES = Cases()
case = CASES.case

image, sequence, volume = normal(2, 4, 9, 7), normal(1, 4, 11), normal(1, 2, 5, 6, 4)

case("Conv", (7, 11, 22), [image, normal(6, 2, 3, 2), normal(6)], group=2, strides=[2, 1], dilations=[1, 2], pads=[1, 0, 2, 1])
case("Conv", (11,), [sequence, normal(4, 1, 3), normal(4)], group=4, pads=[2, 0])
case("Conv", (11,), [volume, normal(3, 2, 2, 3, 2)], strides=[1, 2, 1], pads=[0, 1, 0, 1, 1, 1])
for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case("Conv", (7, 22), [image, normal(5, 4, 3, 4)], auto_pad=auto_pad, strides=[2, 3], kernel_shape=[3, 4])
    case("ConvTranspose", (7, 22), [image, normal(4, 2, 4, 3)], auto_pad=auto_pad, strides=[2, 2])
case(
    "ConvTranspose",
    (7, 11),
    [image, normal(4, 3, 3, 2), normal(6)],
    group=2,
    strides=[2, 3],
    pads=[1, 0, 1, 1],
    output_padding=[1, 1],
)
case("ConvTranspose", (11,), [image, normal(4, 2, 3, 3)], strides=[2, 2], dilations=[2, 1], output_shape=[19, 15])
case("ConvTranspose", (11,), [sequence, normal(4, 3, 4)], strides=[3], output_shape=[30])
case("ConvTranspose", (11,), [volume, normal(2, 3, 2, 2, 3)], strides=[1, 2, 2])

pool = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
case("MaxPool", (7,), [image], **pool)
case("MaxPool", (8, 10, 11, 12, 22), [image], 2, storage_order=1, **pool)
case("MaxPool", (8, 12), [np.round(volume)], 2, kernel_shape=[2, 3, 2], strides=[2, 1, 3], pads=[1, 1, 0, 0, 1, 1])
case("MaxPool", (10, 12), [image], 2, kernel_shape=[3, 2], strides=[3, 2], dilations=[2, 3], ceil_mode=1)
case("MaxPool", (12,), [int8s(1, 2, 7, 7)], kernel_shape=[3, 3], auto_pad="SAME_LOWER")
for counted in (0, 1):
    case("AveragePool", (7, 11), [image], count_include_pad=counted, **pool)
    case("AveragePool", (10, 19), [image], count_include_pad=counted, ceil_mode=1, **pool)
    case("AveragePool", (19, 22), [image], count_include_pad=counted, dilations=[2, 3], **pool)
case("AveragePool", (7,), [sequence], kernel_shape=[4], strides=[3], auto_pad="SAME_UPPER")
case("LpPool", (7, 11, 18), [image], p=3, **pool)
case("GlobalAveragePool", (7, 22), [volume])
case("GlobalMaxPool", (7, 22), [volume])
case("GlobalLpPool", (7,), [volume], p=1)
case("MaxUnpool", (9, 11), [normal(1, 1, 2, 2), int64(0, 3, 9, 11).reshape(1, 1, 2, 2)], kernel_shape=[2, 2], strides=[2, 2])

channel = [normal(4), normal(4)]
case("BatchNormalization", (7, 9, 14, 15), [image, *channel, normal(4), abs(normal(4))], epsilon=0.01)
case("InstanceNormalization", (7,), [image, *channel], epsilon=0.01)
case("GroupNormalization", (21,), [image, *channel], num_groups=2, epsilon=0.01)
case("LayerNormalization", (17,), [image, normal(9, 7), normal(9, 7)], 3, axis=2, epsilon=0.01)
case("LRN", (7, 13), [image], size=3, alpha=0.1, beta=0.6, bias=2.0)
case("LRN", (13,), [image], size=9, alpha=0.1)
case("LpNormalization", (7,), [image], axis=1, p=1)
case("LpNormalization", (7,), [image], p=2)
case("MeanVarianceNormalization", (9, 13), [image], axes=[0, 3])
for kind in ("Softmax", "LogSoftmax"):
    case(kind, (7, 11, 13), [image])
    case(kind, (7, 11, 13), [image], axis=2)
