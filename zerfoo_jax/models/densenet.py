"""DenseNet (Huang et al., arXiv 1608.06993), with torchvision's names.

What is special: within a block every layer sees what all layers before it found, side by side, and adds a few channels. Between
blocks a transition halves the channels and the image.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, PositiveInts, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    GlobalAvgPool,
    MaxPool2D,
)
from zerfoo_jax.models.state_dict import Names
from zerfoo_jax.models.torch_names import torch_names

RELU = Activation("relu")
BOTTLENECK = 4
"""A layer's 1x1 convolution is that many times as wide as what it adds."""


@checked
def densenet121(
    *,
    num_classes: PositiveInt = 1000,
    growth_rate: PositiveInt = 32,
    depths: PositiveInts = (6, 12, 24, 16),
    dropout: Probability = 0.0,
    small_images: bool = False,
) -> Graph:
    """Images (batch, height, width, channels) to logits (batch, num_classes).

    Each of the `depths` layers of a block adds `growth_rate` channels; the first convolution has twice as many. `small_images`
    keeps the resolution at the start, for images of 32x32 pixels: a 3x3 convolution and no pooling in place of a strided 7x7
    one and pooling.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(densenet121(num_classes=10, growth_rate=4, depths=(2, 2)), Spec((1, 64, 64, 3), "float32")).shape
    (1, 10)
    """
    features: dict[str, Layer] = {
        "conv0": _conv(2 * growth_rate, 3) if small_images else _conv(2 * growth_rate, 7, 2),
        "norm0": BatchNorm(),
        "relu0": RELU,
    }
    if not small_images:
        features["pool0"] = MaxPool2D(3, 2, ((1, 1), (1, 1)))
    layer, channels = _layer(growth_rate, dropout), 2 * growth_rate
    for number, depth in enumerate(depths, 1):
        features[f"denseblock{number}"] = _block(layer, depth)
        channels += depth * growth_rate
        if number < len(depths):
            channels //= 2
            features[f"transition{number}"] = _transition(channels)
    features["norm5"] = BatchNorm()
    return graph_of(
        {"features": graph_of(features), "relu": RELU, "avgpool": GlobalAvgPool(), "classifier": Dense(num_classes)}
    )


def densenet_torch_names(model: Graph) -> Names:
    """torchvision's names."""
    return torch_names(model)


def _conv(features: int, size: int, strides: int = 1) -> Conv2D:
    edge = (size // 2, size // 2)
    return Conv2D(features, size, strides, (edge, edge), use_bias=False, kernel_init="he_normal")


def _layer(growth_rate: int, dropout: float) -> Graph:
    return graph_of(
        {
            "norm1": BatchNorm(),
            "relu1": RELU,
            "conv1": _conv(BOTTLENECK * growth_rate, 1),
            "norm2": BatchNorm(),
            "relu2": RELU,
            "conv2": _conv(growth_rate, 3),
            **({"dropout": Dropout(dropout)} if dropout else {}),
        }
    )


def _block(layer: Graph, depth: int) -> Graph:
    """Each layer's input is the block's own beside what the layers before it gave."""
    nodes, seen = {}, "inputs"
    for i in range(1, depth + 1):
        nodes[f"denselayer{i}"] = (layer, seen)
        nodes[f"concat{i}"] = (Concatenate(), seen, f"denselayer{i}")
        seen = f"concat{i}"
    return graph_of(nodes)


def _transition(features: int) -> Graph:
    return graph_of({"norm": BatchNorm(), "relu": RELU, "conv": _conv(features, 1), "pool": AvgPool2D(2)})
