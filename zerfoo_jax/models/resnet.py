"""Residual networks (He et al., arXiv 1512.03385), with torchvision's names and strides.

What is special: each block adds to its input what two or three convolutions find, so that gradients pass through any depth.
Where a block halves the image or widens it, a 1x1 convolution fits the input to it.
"""

from collections.abc import Callable

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, Add, BatchNorm, Conv2D, Dense, GlobalAvgPool, MaxPool2D
from zerfoo_jax.models.state_dict import Names
from zerfoo_jax.models.torch_names import torch_names

Widths = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
WIDTHS: Widths = (64, 128, 256, 512)
RELU = Activation("relu")


@checked
def resnet18(*, num_classes: PositiveInt = 1000, widths: Widths = WIDTHS, small_images: bool = False) -> Graph:
    """Images (batch, height, width, channels) to logits (batch, num_classes): 18 layers, two 3x3 convolutions a block.

    `widths` are the channels of the four stages. `small_images` keeps the resolution at the start, for images of 32x32 pixels:
    a 3x3 convolution and no pooling in place of a strided 7x7 one and pooling.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(resnet18(num_classes=10, widths=(8, 8, 8, 8)), Spec((1, 64, 64, 3), "float32")).shape
    (1, 10)
    """
    return _resnet(_basic, (2, 2, 2, 2), 1, widths, num_classes, small_images)


@checked
def resnet34(*, num_classes: PositiveInt = 1000, widths: Widths = WIDTHS, small_images: bool = False) -> Graph:
    """As `resnet18`, with 34 layers.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(resnet34(num_classes=10, widths=(8, 8, 8, 8)), Spec((1, 64, 64, 3), "float32")).shape
    (1, 10)
    """
    return _resnet(_basic, (3, 4, 6, 3), 1, widths, num_classes, small_images)


@checked
def resnet50(*, num_classes: PositiveInt = 1000, widths: Widths = WIDTHS, small_images: bool = False) -> Graph:
    """As `resnet18`, with 50 layers in bottleneck blocks: 1x1, 3x3 and 1x1 convolutions, the last four times as wide.

    The 3x3 convolution is the strided one (torchvision's "v1.5"), not the first.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(resnet50(num_classes=10, widths=(8, 8, 8, 8)), Spec((1, 64, 64, 3), "float32")).shape
    (1, 10)
    """
    return _resnet(_bottleneck, (3, 4, 6, 3), 4, widths, num_classes, small_images)


def resnet_torch_names(model: Graph) -> Names:
    """torchvision's names for any of these networks.

    >>> resnet_torch_names(resnet18())["layer1.0.conv1.weight"].leaves
    ('params/layer1/0/conv1/kernel',)
    """
    return torch_names(model)


def _conv(features: int, size: int, strides: int = 1) -> Conv2D:
    edge = (size // 2, size // 2)  # not SAME, which puts the odd row of a strided convolution at the end only
    return Conv2D(features, size, strides, (edge, edge), use_bias=False, kernel_init="he_normal")


def _resnet(
    block: Callable[[int, int, bool], Graph],
    depths: Widths,
    expansion: int,
    widths: Widths,
    num_classes: int,
    small_images: bool,
) -> Graph:
    nodes = {"conv1": _conv(widths[0], *((3, 1) if small_images else (7, 2))), "bn1": BatchNorm(), "relu": RELU}
    if not small_images:
        nodes["maxpool"] = MaxPool2D(3, 2, ((1, 1), (1, 1)))
    channels = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        strides = 1 if stage == 0 else 2
        blocks = [block(width, strides, strides > 1 or channels != expansion * width)]
        blocks += [block(width, 1, False)] * (depth - 1)
        nodes[f"layer{stage + 1}"] = graph_of({str(i): block for i, block in enumerate(blocks)})
        channels = expansion * width
    return graph_of({**nodes, "avgpool": GlobalAvgPool(), "fc": Dense(num_classes)})


def _basic(width: int, strides: int, projected: bool) -> Graph:
    nodes = {
        "conv1": _conv(width, 3, strides),
        "bn1": BatchNorm(),
        "relu1": RELU,
        "conv2": _conv(width, 3),
        "bn2": BatchNorm(),
    }
    return _residual(nodes, width, strides, projected)


def _bottleneck(width: int, strides: int, projected: bool) -> Graph:
    nodes = {
        "conv1": _conv(width, 1),
        "bn1": BatchNorm(),
        "relu1": RELU,
        "conv2": _conv(width, 3, strides),
        "bn2": BatchNorm(),
        "relu2": RELU,
        "conv3": _conv(4 * width, 1),
        "bn3": BatchNorm(),
    }
    return _residual(nodes, 4 * width, strides, projected)


def _residual(nodes: dict, features: int, strides: int, projected: bool) -> Graph:
    """relu(shortcut + the last of `nodes`)."""
    last, shortcut = list(nodes)[-1], "downsample" if projected else "inputs"
    if projected:
        projection = graph_of({"0": _conv(features, 1, strides), "1": BatchNorm()})
        nodes = {**nodes, "downsample": (projection, "inputs")}
    return graph_of({**nodes, "add": (Add(), last, shortcut), "relu": RELU})
