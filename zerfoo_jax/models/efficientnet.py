"""EfficientNet (Tan & Le, arXiv 1905.11946), with torchvision's names.

What is special: blocks that widen, look at each channel apart (depthwise), weigh the channels, and narrow again; and one rule
that makes the whole family out of the first, by more channels and more blocks.
"""

import math

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    GlobalAvgPool,
    SqueezeExcitation,
    StochasticDepth,
)
from zerfoo_jax.models.state_dict import Names
from zerfoo_jax.models.torch_names import torch_names

STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Expansion, kernel size, strides, channels and number of blocks of each stage of B0."""
STEM = 32
SILU = Activation("silu")


@checked
def efficientnet_b0(
    *,
    num_classes: PositiveInt = 1000,
    width: PositiveFloat = 1.0,
    depth: PositiveFloat = 1.0,
    dropout: Probability = 0.2,
    stochastic_depth: Probability = 0.2,
) -> Graph:
    """Images (batch, height, width, channels) to logits (batch, num_classes).

    `width` multiplies the channels of all stages, rounded to multiples of 8, and `depth` their numbers of blocks, rounded up:
    B1 is 1.0 and 1.1, B2 1.1 and 1.2, B3 1.2 and 1.4, B4 1.4 and 1.8. In training a block is left out with a probability that
    grows from 0 at the first towards `stochastic_depth` at the last.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(efficientnet_b0(num_classes=10, width=0.25, depth=0.3), Spec((1, 32, 32, 3), "float32")).shape
    (1, 10)
    """
    repeats = [math.ceil(depth * count) for *_, count in STAGES]
    channels, index = _rounded(width * STEM), 0
    features: dict[str, Layer] = {"0": _convolution(channels, 3, 2)}
    for number, ((expansion, size, strides, base, _), count) in enumerate(zip(STAGES, repeats, strict=True), 1):
        blocks: dict[str, Layer] = {}
        for i in range(count):
            rate = stochastic_depth * index / sum(repeats)
            narrow = _rounded(width * base)
            blocks[str(i)] = _block(channels, narrow, expansion, size, strides if i == 0 else 1, rate)
            channels, index = narrow, index + 1
        features[str(number)] = graph_of(blocks)
    features[str(len(STAGES) + 1)] = _convolution(4 * channels, 1)
    return graph_of(
        {
            "features": graph_of(features),
            "avgpool": GlobalAvgPool(),
            "classifier": graph_of({"0": Dropout(dropout), "1": Dense(num_classes)}),
        }
    )


def efficientnet_torch_names(model: Graph) -> Names:
    """torchvision's names."""
    return torch_names(model)


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is at least 8 and not more than a tenth less."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _convolution(features: int, size: int, strides: int = 1, *, groups: int = 1, activate: bool = True) -> Graph:
    edge = (size // 2, size // 2)
    convolution = Conv2D(features, size, strides, (edge, edge), groups=groups, use_bias=False, kernel_init="he_normal")
    return graph_of({"0": convolution, "1": BatchNorm(), **({"2": SILU} if activate else {})})


def _block(channels: int, features: int, expansion: int, size: int, strides: int, rate: float) -> Graph:
    """The inverted bottleneck of MobileNetV2 (Sandler et al., arXiv 1801.04381) with squeeze and excitation."""
    wide = expansion * channels
    layers: list[Layer] = [_convolution(wide, 1)] if expansion > 1 else []
    layers += [
        _convolution(wide, size, strides, groups=wide),
        SqueezeExcitation(max(1, channels // 4), "silu"),
        _convolution(features, 1, activate=False),
    ]
    block = graph_of({str(i): layer for i, layer in enumerate(layers)})
    if strides > 1 or channels != features:
        return graph_of({"block": block})
    return graph_of({"block": block, "stochastic_depth": StochasticDepth(rate), "add": (Add(), "inputs", "stochastic_depth")})
